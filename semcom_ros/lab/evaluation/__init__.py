# SPDX-License-Identifier: Apache-2.0
"""How good a reconstruction is: metrics, and the commands that measure them on named data."""
