# SPDX-License-Identifier: Apache-2.0
"""GESCO: the label map crosses the air, a generator paints the street again."""
