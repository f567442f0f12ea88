# SPDX-License-Identifier: Apache-2.0
"""gsc: one link for picture and map, source and channel coded together, asked in plain words.

Source: the multi-task generative semantic communication system for joint image transmission and
segmentation; docs/gsc.md says what is ours.
"""
