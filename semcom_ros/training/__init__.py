# SPDX-License-Identifier: Apache-2.0
"""Recipes that make the weights in `models/`, one module and one `semcom train` command each."""
