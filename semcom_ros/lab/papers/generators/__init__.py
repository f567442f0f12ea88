# SPDX-License-Identifier: Apache-2.0
"""The generators that GESCO's paper compares with, as published and as twins of equal cost."""
