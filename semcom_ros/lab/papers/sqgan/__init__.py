# SPDX-License-Identifier: Apache-2.0
"""SQ-GAN as published: its recipe."""
