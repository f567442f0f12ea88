# SPDX-License-Identifier: Apache-2.0
"""Video in low-delay mode: what a user would pick instead."""
