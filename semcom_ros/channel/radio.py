# SPDX-License-Identifier: Apache-2.0
"""The radio link of one vehicle: what the receiver gets of each payload.

Definitions: SNR = E|x|^2 / E|n|^2 of a complex symbol, the payload at unit mean power and the
fade at E|h|^2 = 1 in the long run, so that `snr_db` is the mean SNR at the receiver. Time goes on
by 1 / rate_hz a frame, not by a clock, and every frame has random numbers of its own: the same
seed and the same drive meet the same fades and losses, whichever frames a slow machine skips.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from semcom_ros.channel.fading.propagation import DriveState, Propagation, create_propagation
from semcom_ros.channel.fading.shadowing import Shadowing
from semcom_ros.channel.packets.packet_loss import PacketLoss
from semcom_ros.channel.parameters import NONE, resolve
from semcom_ros.channel.phy.bit_link import BitLink, erase
from semcom_ros.channel.phy.mcs import Mcs, symbols_needed
from semcom_ros.channel.phy.symbol_link import (
    FLOOR,
    disturbance,
    mean_power,
    measured_snr_db,
    noise_power,
    observe,
    transmit_symbols,
)
from semcom_ros.channel.script import Script
from semcom_ros.errors import SemcomError
from semcom_ros.parameter import Value
from semcom_ros.payload import Part, Payload

_OF_PROPAGATION = (
    "channel", "k_db", "carrier_ghz", "symbol_rate_mhz", "fading", "delay_spread_ns", "trace",
    "trace_start",
)  # fmt: skip
NO_PATH = "no path at this position"
"""A warning in a link's state: the trace has none there, and nothing arrives."""
_COUNTED = ("packets_sent", "packets_lost", "parts_sent", "parts_lost")


class Channel:
    """One direction of a radio link, frame by frame; `settings` are those of `PARAMETERS`.

    current: the settings that hold now, those that a script sets included. frame, time_s: of the
    drive, frames that were skipped counted in. seed: two channels of one seed and the same settings
    do the same to the same payloads. Raises SemcomError for a setting that is unknown, out of range
    or impossible.
    """

    def __init__(self, seed: int = 0, **settings: Value) -> None:
        if type(seed) is not int or seed < 0:
            raise SemcomError(f"The channel's seed is {seed!r}: it must be an int of 0 or more.")
        self.seed = seed
        self.settings: SimpleNamespace = resolve({})
        self.current = self.settings
        self.frame = 0
        self.time_s = self._way_m = self._script_began_s = 0.0
        self._sequence: int | None = None
        self._state: dict[str, str] = {}
        self._counts = Counter(dict.fromkeys(_COUNTED, 0))
        self._script: Script | None = None
        self._propagation: Propagation | None = None
        self._made_of: tuple[Value, ...] = ()
        self._shadowing = Shadowing(self.settings.shadowing_db, self.settings.shadowing_m, seed)
        self._loss = PacketLoss(self.settings.loss, self.settings.burst, seed)
        self._bits = BitLink(self.settings)
        self.configure(**settings)

    def configure(self, **settings: Value) -> None:
        """Change settings while the link runs; on SemcomError none of them is changed.

        What a change does not concern goes on: a fade, for one, when only the SNR is changed. A
        script begins when it is set.
        """
        new = resolve({**vars(self.settings), **settings})
        script, began_s = self._script, self._script_began_s
        if new.script != self.settings.script:
            script, began_s = Script.load(new.script) if new.script else None, self.time_s
        if script is not None:
            script.check(lambda values: self._propagation_for(_overlay(new, values)))
            now = _overlay(new, script.at(self.time_s - began_s))
        else:
            now = new
        self._apply(now)
        self._script, self._script_began_s, self.settings = script, began_s, new

    def report_snr(self, snr_db: float | None) -> None:
        """Tell the sender what SNR in dB the receiver reports; the MCS `auto` follows it.

        None where it knows none. Raises SemcomError for what is no number.
        """
        if snr_db is not None and not math.isfinite(snr_db):
            raise SemcomError(f"The receiver reports an SNR of {snr_db} dB, which is no number.")
        self._bits.reported_snr_db = snr_db

    def state(self) -> dict[str, str]:
        """The link as the last frame met it, and what was sent and lost so far."""
        return self._state | {name: str(n) for name, n in self._counts.items()}

    def transmit(self, payload: Payload) -> Payload:
        """What the receiver gets of `payload`: every frame comes out, its lost parts erased.

        The header always arrives (in 5G it would ride on the control channel, which is coded
        more strongly), so that the receiver can count a lost frame as lost.
        """
        if self._next_packet_is_lost(payload.header.sequence):
            received = replace(payload, parts=tuple(map(erase, payload.parts)))
        elif self._propagation is None:
            received = replace(payload, parts=tuple(_noiseless(part) for part in payload.parts))
        else:
            received = self._transmit(payload, self._propagation)
        alive = {part.name for part in payload.parts if not part.erased}
        self._counts["parts_sent"] += len(alive)
        self._counts["parts_lost"] += sum(p.erased for p in received.parts if p.name in alive)
        return received

    def lose_packet(self) -> bool:
        """Whether the next packet is lost, which is no payload and has no number."""
        return self._next_packet_is_lost(0 if self._sequence is None else self._sequence + 1)

    def _next_packet_is_lost(self, sequence: int) -> bool:
        self._advance(sequence)
        is_lost = self._loss.lost(self.frame)
        self._counts["packets_sent"] += 1
        self._counts["packets_lost"] += is_lost
        self._state = {"channel": self.current.channel}
        return is_lost

    def _advance(self, sequence: int) -> None:
        """Let the drive go on to frame `sequence`, and a script set what holds then."""
        # A vehicle that starts anew counts from 0 again, and time does not.
        steps = sequence if self._sequence is None else max(1, sequence - self._sequence)
        self._sequence = sequence
        self.frame += steps
        self.time_s += steps / self.settings.rate_hz
        self._way_m += steps / self.settings.rate_hz * self.current.speed_kmh / 3.6
        if self._script is not None:
            values = self._script.at(self.time_s - self._script_began_s)
            self._apply(_overlay(self.settings, values))

    def _propagation_for(self, settings: SimpleNamespace) -> Propagation | None:
        """The model that `settings` ask for, the present one if it will do; else SemcomError."""
        if settings.channel == NONE:
            return None
        propagation = self._propagation
        if propagation is None or _made_of(settings) != self._made_of:
            propagation = create_propagation(settings, self.seed)
        propagation.check(settings.speed_kmh / 3.6)
        return propagation

    def _apply(self, now: SimpleNamespace) -> None:
        """Let `now` hold; what can fail comes before any change."""
        propagation = self._propagation_for(now)
        self._bits.configure(now)
        self._loss.configure(now.loss, now.burst)
        self._shadowing.configure(now.shadowing_db, now.shadowing_m)
        self._propagation, self._made_of, self.current = propagation, _made_of(now), now

    def _transmit(self, payload: Payload, propagation: Propagation) -> Payload:
        """Send the parts one after the other over one stretch of the fade."""
        settings = self.current
        random = np.random.default_rng((self.seed, 1, self.frame))
        coded = [part for part in payload.parts if part.bits is not None]
        analog = [part for part in payload.parts if part.symbols is not None and len(part.symbols)]
        codes = dict(zip((p.name for p in coded), self._bits.codes(coded), strict=True))
        lengths = [_symbols(part, codes) for part in payload.parts]
        if not sum(lengths):
            return payload
        state = DriveState(self.frame, self._way_m, settings.speed_kmh / 3.6)
        stretch = propagation.gains(sum(lengths), state)
        if stretch.position is not None:
            self._state["position"] = str(stretch.position)
        if not stretch.gains.any():
            self._state["warning"] = NO_PATH
            self._counts["packets_without_path"] += 1
            return replace(payload, parts=tuple(map(erase, payload.parts)))
        at = dict(zip((p.name for p in payload.parts), _slices(lengths), strict=True))
        snr_db = settings.snr_db + self._shadowing.at(self._way_m)
        noise = noise_power(snr_db, stretch)
        fade = observe(stretch, noise, settings.csi, random)
        disturbed = disturbance(fade, noise)

        arrived = {part.name: part for part in payload.parts}
        if analog:
            # Unit mean power is that of all of them together.
            here = np.r_[*(at[part.name] for part in analog)]
            sent = np.concatenate([part.symbols for part in analog])
            received = transmit_symbols(
                sent, stretch.gains[here], fade.at(here), noise, settings.equaliser, random
            )
            places = _slices([_symbols(part, codes) for part in analog])
            for part, own in zip(analog, places, strict=True):
                symbols, noise_variance = (values[own] for values in received)
                arrived[part.name] = replace(part, symbols=symbols, noise_variance=noise_variance)
        block_errors, bit_errors = [], []
        for part in coded:
            here = at[part.name]
            arrived[part.name], *errors = self._bits.transmit(
                part, codes[part.name], fade.gains[here], disturbed[here], random
            )
            block_errors.append(errors[0])
            bit_errors.append(errors[1])

        measured = measured_snr_db(fade, noise)
        self._state |= {
            "snr_db": f"{snr_db:.1f}",
            "snr_estimated_db": f"{measured:.1f}",
            "fade_db": f"{10 * math.log10(max(mean_power(stretch.gains), float(FLOOR))):.1f}",
            "mcs": " ".join(mcs.name for mcs in codes.values()),
            "bler": f"{1 - np.prod(1 - np.array(block_errors)):.4f}" if coded else "",
            "ber": f"{np.mean(bit_errors):.5f}" if coded else "",
            "symbols": str(sum(lengths)),
        }
        return replace(payload, parts=tuple(arrived.values()), snr_db=measured)


def _overlay(settings: SimpleNamespace, values: dict[str, Value]) -> SimpleNamespace:
    """`settings` with those of a script; raises SemcomError where they do not go together."""
    return resolve({**vars(settings), **values})


def _made_of(settings: SimpleNamespace) -> tuple[Value, ...]:
    return tuple(getattr(settings, name) for name in _OF_PROPAGATION)


def _noiseless(part: Part) -> Part:
    """A part as the ideal link delivers it: its symbols are known to be free of noise."""
    if part.symbols is None:
        return part
    return replace(part, noise_variance=np.zeros(len(part.symbols), np.float32))


def _symbols(part: Part, codes: dict[str, Mcs]) -> int:
    """Complex symbols that `part` takes on the air."""
    if part.bits is not None:
        return symbols_needed(len(part.bits), codes[part.name])
    return 0 if part.symbols is None else len(part.symbols)


def _slices(lengths: Sequence[int]) -> list[slice]:
    """Where stretches of `lengths` lie, one after the other."""
    ends = np.cumsum(lengths)
    return [slice(end - n, end) for n, end in zip(lengths, ends, strict=True)]
