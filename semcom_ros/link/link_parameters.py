# SPDX-License-Identifier: Apache-2.0
"""What can be set about a link by UDP, as data."""

from semcom_ros.parameter import Parameter

FRAME_ID = Parameter(
    "frame_id", "camera_optical", "Frame of the camera, z along the optical axis."
)  # fmt: skip
LINK = (
    Parameter(
        "role", "vehicle", "Whose host this is: that of one vehicle, or the RSU's, for many.",
        choices=("vehicle", "rsu"),
    ),
    Parameter(
        "peer", "",
        "Where a vehicle sends to: HOST:PORT of the RSU's link_node; IPv6 as [ADDRESS]:PORT.",
    ),
    Parameter(
        "bind", "",
        "Address and port of this host, as :47800, 192.0.2.7:47800 or [::1]:47800; empty: all "
        "of its addresses, a vehicle at any port, the RSU at 47800.",
    ),
    Parameter(
        "with_channel", False,
        "Whether a channel_node on this host carries the payloads, too: before they are sent "
        "to the RSU's, or after they came from the vehicle's.",
    ),
    Parameter(
        "link_kbps", 50_000.0, "Pace of what is sent, kbit/s, with the headers of IP and UDP.",
        1.0, 1e6,
    ),
    Parameter(
        "peer_kbps", 20_000.0, "What the RSU takes from one vehicle, in kbit/s.", 1.0, 1e6
    ),
    Parameter("most_vehicles", 64, "Vehicles that the RSU serves at once.", 1, 1000),
    Parameter(
        "dscp", 0, "Class of service in the IP header, as 46 for expedited forwarding.", 0, 63
    ),
    FRAME_ID,
)  # fmt: skip
