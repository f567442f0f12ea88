# SPDX-License-Identifier: Apache-2.0
"""Training of the restorer, which makes a street of a coded picture and a map in one pass."""
