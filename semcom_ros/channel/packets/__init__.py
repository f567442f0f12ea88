# SPDX-License-Identifier: Apache-2.0
"""What happens to packets as a whole: loss, delay, queues, shared airtime."""
