# SPDX-License-Identifier: Apache-2.0
"""Work done by a Ray cluster: what an RSU lets others paint. Ray is imported when it is chosen."""
