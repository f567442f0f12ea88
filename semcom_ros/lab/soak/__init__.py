# SPDX-License-Identifier: Apache-2.0
"""Faults that take a running graph and minutes to show."""
