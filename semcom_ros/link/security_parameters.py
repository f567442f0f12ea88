# SPDX-License-Identifier: Apache-2.0
"""How a link is authenticated, as data."""

from semcom_ros.parameter import Parameter

NO_SECURITY = "none"
SECURITIES = (NO_SECURITY, "signed", "session")
SECURITY = (
    Parameter(
        "security", NO_SECURITY,
        "How payloads and the link's reports are authenticated: signed each, or within an "
        "encrypted session; the same at both ends. docs/security.md.",
        choices=SECURITIES,
    ),
    Parameter("keys", "", "Folder of keys for it, as `semcom keys make` makes it."),
)  # fmt: skip
