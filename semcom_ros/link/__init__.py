# SPDX-License-Identifier: Apache-2.0
"""The payload between two hosts: how it crosses, who may send it, that it came as it was sent."""
