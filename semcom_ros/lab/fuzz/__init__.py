# SPDX-License-Identifier: Apache-2.0
"""Bytes that no vehicle sends, for what an RSU reads them with."""
