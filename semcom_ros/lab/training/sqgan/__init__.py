# SPDX-License-Identifier: Apache-2.0
"""How the networks, statistics and tables of SQ-GAN are made."""
