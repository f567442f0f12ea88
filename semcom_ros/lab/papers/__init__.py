# SPDX-License-Identifier: Apache-2.0
"""The networks and recipes of the papers, and what they compare with."""
