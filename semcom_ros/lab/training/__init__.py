# SPDX-License-Identifier: Apache-2.0
"""What every recipe shares: samples and the loop. A recipe lies beside the networks it trains."""
