# SPDX-License-Identifier: Apache-2.0
"""Recipes of GESCO's weights, one module and one `semcom train` command each."""
