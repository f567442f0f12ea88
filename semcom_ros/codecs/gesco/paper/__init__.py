# SPDX-License-Identifier: Apache-2.0
"""GESCO's diffusion as published: its network, its sampling, and what it paints at the roadside."""
