# SPDX-License-Identifier: Apache-2.0
"""The radio link of one vehicle: what the receiver gets of each payload.

Definitions: SNR = E|x|^2 / E|n|^2 of a complex symbol, the payload at unit mean power and the
fade at E|h|^2 = 1 in the long run, so that `snr_db` is the mean SNR at the receiver. Time goes on
by 1 / rate_hz a frame, not by a clock: the same seed and the same drive see the same fades.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from semcom_ros.channel.bit_link import BitLink, erase
from semcom_ros.channel.equaliser import FLOOR, Estimate, estimate, know, mean_power
from semcom_ros.channel.mcs import Mcs, symbols_needed
from semcom_ros.channel.packet_loss import PacketLoss, check_loss
from semcom_ros.channel.parameters import NONE, resolve
from semcom_ros.channel.propagation import Gains, Propagation, create_propagation
from semcom_ros.channel.script import Script
from semcom_ros.channel.shadowing import Shadowing
from semcom_ros.channel.symbol_link import transmit_symbols
from semcom_ros.errors import SemcomError
from semcom_ros.parameter import Value
from semcom_ros.payload import Part, Payload

_OF_PROPAGATION = (
    "channel", "k_db", "speed_kmh", "carrier_ghz", "symbol_rate_mhz", "fading", "delay_spread_ns",
    "trace",
)  # fmt: skip
PERFECT = "perfect"


class Channel:
    """One direction of a radio link, frame by frame; `settings` are those of `PARAMETERS`.

    current: the settings that hold now, those that a script sets included. time_s: of the drive.
    seed: two channels of one seed and the same settings do the same to the same payloads. Raises
    SemcomError for a setting that is unknown, out of range or impossible.
    """

    def __init__(self, seed: int = 0, **settings: Value) -> None:
        if type(seed) is not int or seed < 0:
            raise SemcomError(f"The channel's seed is {seed!r}: it must be an int of 0 or more.")
        self.seed = seed
        self.settings: SimpleNamespace = resolve({})
        self._random = np.random.default_rng([seed, 1])
        self.current = self.settings
        self.time_s = self._way_m = 0.0
        self._sequence: int | None = None
        self._state: dict[str, str] = {}
        self._script: Script | None = None
        self._propagation: Propagation | None = None
        self._made_of: tuple[Value, ...] = ()
        self._shadowing = Shadowing(self.settings.shadowing_db, self.settings.shadowing_m, seed)
        self._loss = PacketLoss(self.settings.loss, self.settings.burst, seed)
        self._bits = BitLink(self.settings)
        self.configure(**settings)

    def configure(self, **settings: Value) -> None:
        """Change settings while the link runs; on SemcomError none of them is changed.

        What a change does not concern goes on: a fade, for one, when only the SNR is changed.
        """
        new = resolve({**vars(self.settings), **settings})
        same_script = new.script == self.settings.script
        script = self._script if same_script else Script.load(new.script) if new.script else None
        self._apply(new)
        self._script, self.settings, self.current = script, new, new

    def report_snr(self, snr_db: float | None) -> None:
        """Tell the sender what SNR in dB the receiver reports; the MCS `auto` follows it.

        None where it knows none. Raises SemcomError for what is no number.
        """
        if snr_db is not None and not math.isfinite(snr_db):
            raise SemcomError(f"The receiver reports an SNR of {snr_db} dB, which is no number.")
        self._bits.reported_snr_db = snr_db

    def state(self) -> dict[str, str]:
        """The link as the last frame met it, for diagnostics."""
        return dict(self._state)

    def transmit(self, payload: Payload) -> Payload:
        """What the receiver gets of `payload`: every frame comes out, its lost parts erased.

        The header always arrives (in 5G it would ride on the control channel, which is coded
        more strongly), so that the receiver can count a lost frame as lost.
        """
        settings = self.current = self._advance(payload.header.sequence)
        self._state = {"channel": settings.channel}
        if self._loss.lost():
            self._state["packet"] = "lost"
            return replace(payload, parts=tuple(erase(part) for part in payload.parts))
        if settings.channel == NONE:
            return payload
        return self._transmit(payload, settings)

    def _advance(self, sequence: int) -> SimpleNamespace:
        """Let time go on to frame `sequence`; returns the settings that hold then."""
        if self._sequence is not None:
            # A vehicle that starts anew counts from 0 again, and time does not.
            frames = max(1, sequence - self._sequence)
            self.time_s += frames / self.settings.rate_hz
            self._way_m += frames / self.settings.rate_hz * self.current.speed_kmh / 3.6
        self._sequence = sequence
        if self._script is None:
            return self.settings
        now = SimpleNamespace(**{**vars(self.settings), **self._script.at(self.time_s)})
        self._apply(now)
        return now

    def _apply(self, new: SimpleNamespace) -> None:
        """Build what `new` asks for; everything that can fail comes before any change."""
        propagation = self._propagation
        made_of = tuple(getattr(new, name) for name in _OF_PROPAGATION)
        if new.channel == NONE:
            propagation = None
        elif propagation is None or made_of != self._made_of:
            propagation = create_propagation(new.channel, vars(new), self.seed)
        check_loss(new.loss, new.burst)
        self._bits.configure(new)
        self._loss.configure(new.loss, new.burst)
        self._shadowing.configure(new.shadowing_db, new.shadowing_m)
        self._propagation, self._made_of = propagation, made_of

    def _transmit(self, payload: Payload, settings: SimpleNamespace) -> Payload:
        """Send the parts one after the other over one stretch of the fade."""
        snr_db = settings.snr_db + self._shadowing.at(self._way_m)
        coded = [part for part in payload.parts if part.bits is not None]
        codes = dict(zip((p.name for p in coded), self._bits.codes(coded), strict=True))
        lengths = [_symbols(part, codes) for part in payload.parts]
        if not sum(lengths):
            return payload
        stretch = self._propagation.gains(sum(lengths), self.time_s)
        at = dict(zip((p.name for p in payload.parts), _slices(lengths), strict=True))

        arrived = {part.name: part for part in payload.parts}
        arrived |= self._transmit_symbols(payload, stretch, at, snr_db, settings)
        noise = 10 ** (-snr_db / 10) + stretch.interference
        fade = know(stretch.gains) if settings.csi == PERFECT else self._estimate(stretch, noise)
        disturbance = np.broadcast_to(np.float32(noise) + fade.error, stretch.gains.shape)
        block_errors, bit_errors = [], []
        for part in coded:
            here = at[part.name]
            arrival = self._bits.transmit(
                part, codes[part.name], fade.gains[here], disturbance[here], self._random
            )
            arrived[part.name] = arrival.part
            block_errors.append(arrival.block_error_rate)
            bit_errors.append(arrival.bit_error_rate)

        measured = 10 * np.log10(max(fade.power, FLOOR) / noise)
        self._state |= {
            "snr_db": f"{snr_db:.1f}",
            "snr_estimated_db": f"{measured:.1f}",
            "fade_db": f"{10 * np.log10(max(mean_power(stretch.gains), FLOOR)):.1f}",
            "mcs": " ".join(dict.fromkeys(mcs.name for mcs in codes.values())),
            "bler": f"{1 - np.prod(1 - np.array(block_errors)):.4f}" if coded else "",
            "ber": f"{np.mean(bit_errors):.5f}" if coded else "",
            "symbols": str(sum(lengths)),
        }
        return replace(payload, parts=tuple(arrived.values()), snr_db=float(measured))

    def _estimate(self, stretch: Gains, noise: float) -> Estimate:
        return estimate(stretch.gains, stretch.block, noise, self._random)

    def _transmit_symbols(
        self,
        payload: Payload,
        stretch: Gains,
        at: dict[str, slice],
        snr_db: float,
        settings: SimpleNamespace,
    ) -> dict[str, Part]:
        """The parts of symbols as they arrive; unit mean power is that of all of them together."""
        analog = [part for part in payload.parts if part.symbols is not None]
        if not analog:
            return {}
        gains = np.concatenate([stretch.gains[at[part.name]] for part in analog])
        received = transmit_symbols(
            np.concatenate([part.symbols for part in analog]),
            stretch._replace(gains=gains),
            snr_db,
            csi=settings.csi,
            equaliser=settings.equaliser,
            rng=self._random,
        )
        places = _slices([len(part.symbols) for part in analog])
        return {
            part.name: replace(
                part,
                symbols=received.symbols[here],
                noise_variance=received.noise_variance[here],
            )
            for part, here in zip(analog, places, strict=True)
        }


def _symbols(part: Part, codes: dict[str, Mcs]) -> int:
    """Complex symbols that `part` takes on the air."""
    if part.bits is not None:
        return symbols_needed(len(part.bits), codes[part.name])
    return 0 if part.symbols is None else len(part.symbols)


def _slices(lengths: Sequence[int]) -> list[slice]:
    """Where stretches of `lengths` lie, one after the other."""
    ends = np.cumsum(lengths)
    return [slice(end - n, end) for n, end in zip(lengths, ends, strict=True)]
