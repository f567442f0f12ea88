# SPDX-License-Identifier: Apache-2.0
"""SQ-GAN at the sizes of its paper."""
