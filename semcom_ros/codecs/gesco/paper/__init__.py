# SPDX-License-Identifier: Apache-2.0
"""GESCO's diffusion as published: its network, loss, training and sampling, slow and complete."""
