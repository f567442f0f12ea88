# SPDX-License-Identifier: Apache-2.0
"""SQ-GAN: map and image as masked, vector-quantised latents; one pass at the roadside."""
