# SPDX-License-Identifier: Apache-2.0
"""Learned joint source-channel coding that gsc is held against, as others published it."""
