# SPDX-License-Identifier: Apache-2.0
"""A study: any system over any link on any data, scored cell by cell, as tables and plots."""
