# SPDX-License-Identifier: Apache-2.0
"""Entropy coding that several codecs share."""
