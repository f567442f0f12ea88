# SPDX-License-Identifier: Apache-2.0
"""How long a packet holds the air, and how often one of many vehicles may send one.

The two radios of cooperative driving in a channel of 10 MHz at 5.9 GHz, each at the rate that the
SNR supports. All vehicles in range hear each other and send alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from semcom_ros.errors import choose
from semcom_ros.payload import Payload

ACCESSES = ("none", "802.11p", "c-v2x")
"""none: airtime costs nothing and is not shared."""

_OVERHEAD_BYTES = {"802.11p": 194, "c-v2x": 170}
# GeoNetworking 52, BTP 4, security about 100 (ETSI EN 302 636, TS 103 097), which is 156, and below
# them, for 802.11p, LLC 8 and MAC 30; for C-V2X, about 14 of PDCP, RLC and MAC (3GPP TS 36.323,
# 36.322 and 36.321).

_MOST_BUSY = {"802.11p": 0.62, "c-v2x": 1.0}
# Above this share of busy time ETSI EN 302 571, 4.2.10, throttles every 802.11p sender, for those
# that sense the channel collide ever more. C-V2X reserves whole subframes: up to all of them.

# SNR in dB from which a rate is used, and its data bits in an OFDM symbol of 8 us: 3, 4.5, 6, 9,
# 12, 18, 24 and 27 Mbit/s (IEEE 802.11-2020, Table 17-4). SNRs of Jiang et al., "Optimal data rate
# selection for vehicle safety communications", VANET 2008; for 27 Mbit/s, which it lacks, 1 dB
# more than for 24, as the receiver's minimum sensitivities differ (IEEE 802.11-2020, Table 17-18).
_OFDM_RATES = ((5, 24), (6, 36), (8, 48), (11, 72), (15, 96), (20, 144), (25, 192), (26, 216))

# SNR in dB from which a transport block is used, and its bits on 50 resource blocks: I_TBS 1, 3,
# ..., 15 (3GPP TS 36.213, Table 7.1.7.2.1-1). A subframe holds 5400 resource elements of data: 9
# symbols (14 less 4 of DMRS and the guard) of 600 subcarriers. The SNRs are those at which the CQI
# of that efficiency (Table 7.2.3-1) meets a block error rate of 0.1, linear in between.
_TRANSPORT_BLOCKS = (
    (-3.0, 1800), (-0.6, 2856), (1.9, 4392), (4.1, 6200), (5.9, 7992), (7.7, 9912), (10.3, 12960),
    (12.1, 15264),
)  # fmt: skip
_TRANSMISSIONS = 2
_SUBFRAME_S = 1e-3


def airtime_s(n_bytes: int, access: str, snr_db: float) -> float:
    """Seconds for which a packet with `n_bytes` of payload holds the channel; 0 for none.

    802.11p: 40 us of preamble and SIGNAL, then 8 us for every OFDM symbol of the packet with 16
    service and 6 tail bits (IEEE 802.11-2020, 17.4.3). c-v2x: whole subframes of LTE-V2X PC5 in
    mode 4, never shared by two vehicles, every transport block sent twice (the blind
    retransmission). An SNR below all rates gets the most robust one. Raises SemcomError for an
    unknown `access`.
    """
    choose(access, ACCESSES, "access")
    if access == "none":
        return 0.0
    bits = 8 * (n_bytes + _OVERHEAD_BYTES[access])
    if access == "802.11p":
        return 40e-6 + 8e-6 * math.ceil((22 + bits) / _supported(_OFDM_RATES, snr_db))
    blocks = math.ceil(bits / _supported(_TRANSPORT_BLOCKS, snr_db))
    return _SUBFRAME_S * _TRANSMISSIONS * blocks


def service_time_s(n_bytes: int, access: str, vehicles: int, snr_db: float) -> float:
    """Seconds from one packet's start to the next's for one of `vehicles` that share the channel.

    Each gets the same part of the airtime that may be used at all, as behind the gate of adaptive
    congestion control (ETSI TS 102 687): on air for T, then closed until T / part has passed.
    """
    on_air = airtime_s(n_bytes, access, snr_db)
    return on_air * vehicles / _MOST_BUSY[access] if on_air else 0.0


def channel_busy_ratio(
    n_bytes: int, access: str, vehicles: int, snr_db: float, frame_rate_hz: float
) -> float:
    """Share of time for which the channel is busy while each vehicle offers that many packets.

    It stops at the share that congestion control allows; 0 for access none.
    """
    offered = vehicles * frame_rate_hz * airtime_s(n_bytes, access, snr_db)
    return min(offered, _MOST_BUSY[access]) if offered else 0.0


def bytes_on_air(payload: Payload, n_bytes: int) -> int:
    """Bytes that the packed `payload` of `n_bytes` counts for on a radio.

    A symbol takes one channel use, which carries one bit at QPSK and rate 1/2, and counts as that.
    """
    symbols = sum(len(part.symbols) for part in payload.parts if part.symbols is not None)
    return n_bytes - 8 * symbols + math.ceil(symbols / 8)


def _supported(rates: Sequence[tuple[float, int]], snr_db: float) -> int:
    return max((bits for least_db, bits in rates if snr_db >= least_db), default=rates[0][1])
