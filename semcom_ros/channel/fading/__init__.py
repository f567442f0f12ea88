# SPDX-License-Identifier: Apache-2.0
"""How the channel's gain changes along the way."""
