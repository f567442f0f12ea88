# SPDX-License-Identifier: Apache-2.0
"""Scores that recipes choose by and studies report."""
