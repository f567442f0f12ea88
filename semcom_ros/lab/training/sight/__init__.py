# SPDX-License-Identifier: Apache-2.0
"""Training of what sees on a GPU at hand for minutes: teacher, vehicle's segmenter, panel."""
