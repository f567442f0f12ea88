# SPDX-License-Identifier: Apache-2.0
"""Send meaning instead of pixels from a vehicle to a roadside unit."""

__version__ = "0.1.0"
