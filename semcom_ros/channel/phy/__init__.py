# SPDX-License-Identifier: Apache-2.0
"""The physical layer: modulation, equalisers, codes and what they let through."""
