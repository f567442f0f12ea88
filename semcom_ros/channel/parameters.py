# SPDX-License-Identifier: Apache-2.0
"""Every setting of the radio, flat, so that the model can be changed and all else stay."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from semcom_ros.channel.fading.propagation import PROPAGATIONS
from semcom_ros.channel.packets.airtime import ACCESSES
from semcom_ros.channel.packets.packet_loss import check_loss
from semcom_ros.channel.phy.mcs import MCS_TABLE
from semcom_ros.channel.phy.symbol_link import CSI, EQUALISERS
from semcom_ros.errors import SemcomError, choose
from semcom_ros.parameter import Parameter, Value, When

NONE = "none"
"""The ideal link: what is sent arrives as it was."""
_TABLE: tuple[tuple[Any, ...], ...] = (
    ("channel", NONE, "Model of the radio between vehicle and RSU; none is ideal.",
     (NONE, *PROPAGATIONS)),
    ("snr_db", 10.0, "Mean SNR of a complex symbol, E|x|^2 / E|n|^2, dB.", -20.0, 60.0),
    ("k_db", 6.0, "K of rician: power of the direct path over the rest, dB.", -20.0, 40.0),
    ("speed_kmh", 50.0, "Speed of the vehicle, km/h: how fast it fades; awgn does not.",
     0.0, 500.0),
    ("carrier_ghz", 5.9, "Carrier frequency, GHz; a trace has its own.", 0.1, 100.0),
    ("symbol_rate_mhz", 10.0, "Symbols a microsecond, which is OFDM's bandwidth in MHz.",
     0.1, 1000.0),
    ("rate_hz", 10.0, "Frames a second.", 0.1, 120.0),
    ("fading", "jakes",
     "jakes: correlated in time and across frames; block: one fade a frame, independent.",
     ("jakes", "block")),
    ("csi", "perfect", "What the receiver knows of the fade: all, or what pilots tell.", CSI),
    ("equaliser", "mmse", "How the receiver undoes the fade of symbols; none leaves it.",
     tuple(EQUALISERS)),
    ("delay_spread_ns", 100.0, "RMS delay spread of tdl_* and cdl_*, ns.", 0.0, 5000.0),
    ("trace", "", "Folder of a DeepMIMO scenario, for channel trace."),
    ("trace_start", -1, "Position of the trace where the drive begins; -1 draws one with a path.",
     -1, 1_000_000_000),
    ("shadowing_db", 0.0, "Standard deviation of the shadowing, dB.", 0.0, 20.0),
    ("shadowing_m", 25.0, "Way after which shadowing has changed, m.", 1.0, 1000.0),
    ("mcs", "qpsk_1/2",
     "Modulation and code rate of bits; auto follows the SNR that the RSU reports.",
     ("auto", *(mcs.name for mcs in MCS_TABLE))),
    ("bler_target", 0.1, "Most block errors that auto may cause.", 1e-3, 0.5),
    ("protection", "equal",
     "unequal: the most important part gets a more robust code if the others can pay.",
     ("equal", "unequal")),
    ("coding", "abstraction",
     "abstraction draws block errors from tables; exact runs LDPC and QAM (needs Sionna).",
     ("abstraction", "exact")),
    ("loss", 0.0, "Share of packets lost whatever the SNR.", 0.0, 1.0),
    ("burst", 0.0, "Mean number of packets lost in a row; 0: each by itself.", 0.0, 1000.0),
    ("delay_ms", 0.0, "Delay of every packet, ms.", 0.0, 10000.0),
    ("jitter_ms", 0.0, "Mean of the random delay on top, ms.", 0.0, 10000.0),
    ("reorder", False, "Whether jitter may let packets overtake each other."),
    ("duplicate", 0.0, "Share of packets that arrive twice.", 0.0, 1.0),
    ("rate_kbps", 0.0, "Most kbit/s that get through; 0: no limit.", 0.0, 1e6),
    ("queue", 4, "Packets that wait for the limit; the oldest gives way.", 1, 10000),
    ("blackout_s", 0.0, "How long nothing gets through, s.", 0.0, 3600.0),
    ("blackout_every_s", 60.0, "From one such blackout to the next, s.", 0.1, 86400.0),
    ("access", "none", "Radio whose airtime the vehicles share; none: nothing is shared.",
     ACCESSES),
    ("vehicles_in_range", 1, "Vehicles that share the airtime.", 1, 1000),
    ("script", "", "CSV or YAML file that sets snr_db and more over time or distance."),
)  # fmt: skip
"""Name, default, meaning, and the least and the greatest value, or all that there are."""


def _parameter(name: str, default: Value, text: str, *allowed: Any) -> Parameter:
    # The frame rate is the camera's own setting: the radio's time advances by a frame, not a clock.
    when: When = "at configure" if name == "rate_hz" else "at once"
    if len(allowed) == 1:
        return Parameter(name, default, text, choices=allowed[0], when=when)
    low, high = allowed or (None, None)
    return Parameter(name, default, text, low, high, when=when)


PARAMETERS: dict[str, Parameter] = {row[0]: _parameter(*row) for row in _TABLE}


def resolve(settings: Mapping[str, Value]) -> SimpleNamespace:
    """All settings, the defaults where none is given.

    Raises SemcomError for a name or value that is unknown, out of range or does not go with
    another.
    """
    for name in settings:
        choose(name, PARAMETERS, "channel parameter")
    s = SimpleNamespace(
        **{name: p.check(settings.get(name, p.default)) for name, p in PARAMETERS.items()}
    )
    if s.channel == "trace" and not s.trace:
        raise SemcomError(
            "channel is trace, but no trace is named: set trace to the folder of a DeepMIMO "
            "scenario; `semcom channel make-trace` makes one to try with."
        )
    check_loss(s.loss, s.burst)
    if s.blackout_s > s.blackout_every_s:
        raise SemcomError(
            f"A blackout of {s.blackout_s:g} s does not fit between two that are "
            f"{s.blackout_every_s:g} s apart: make blackout_s smaller or blackout_every_s larger."
        )
    return s
