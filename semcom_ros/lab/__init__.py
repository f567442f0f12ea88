# SPDX-License-Identifier: Apache-2.0
"""What uses the road: training, papers, evaluation, demo. Nothing on the road imports it."""
