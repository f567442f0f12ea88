# SPDX-License-Identifier: Apache-2.0
"""The dashboard: what a page shows of every vehicle in the domain, and what it can set."""
