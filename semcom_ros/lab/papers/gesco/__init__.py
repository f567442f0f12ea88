# SPDX-License-Identifier: Apache-2.0
"""GESCO as published: its recipe."""
