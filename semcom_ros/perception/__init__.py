# SPDX-License-Identifier: Apache-2.0
"""What is seen in an image: segmentation here; detection and depth have the same form."""
