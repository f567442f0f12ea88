# SPDX-License-Identifier: Apache-2.0
"""Network building blocks that two codecs or a codec and perception share."""
