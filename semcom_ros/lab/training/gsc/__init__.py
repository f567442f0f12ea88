# SPDX-License-Identifier: Apache-2.0
"""How the networks of gsc are made."""
