# SPDX-License-Identifier: Apache-2.0
"""What is seen in an image: its segmentation, and the things that a label map holds."""
