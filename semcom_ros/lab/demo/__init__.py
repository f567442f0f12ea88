# SPDX-License-Identifier: Apache-2.0
"""A recorded drive through the whole graph: run it, sum it up, show it."""
