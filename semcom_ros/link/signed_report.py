# SPDX-License-Identifier: Apache-2.0
"""The link's report, signed: keys and values of `rsu/link`, with who signed them and when."""

from __future__ import annotations

import json
from collections.abc import Mapping

from semcom_ros.errors import SemcomError, printable
from semcom_ros.link.certificates import Certificate, Role, sign
from semcom_ros.link.keys import KeyFolder, Pair, utc

STAMP, SIGNER, SIGNATURE = "signed_at_ns", "signer", "signature"
CLOCKS_S = 10.0
"""How far the clocks of two hosts may disagree; a report older than that is none."""


def signed(values: Mapping[str, str], pair: Pair, now: float) -> dict[str, str]:
    """`values` with stamp, certificate and signature."""
    told = {name: printable(value) for name, value in values.items()}
    told |= {STAMP: str(int(1e9 * now)), SIGNER: pair.certificate.packed.hex()}
    return {**told, SIGNATURE: sign(pair.key, _message(told)).hex()}


def check(
    values: Mapping[str, str], keys: KeyFolder, vehicle: int, newest: int
) -> tuple[Certificate, int]:
    """Who signed a report, and its stamp in ns.

    vehicle: whom it must be about. newest: the stamp that it must be newer than. Raises SemcomError
    for what is unsigned, forged, old or another's.
    """
    told = dict(values)
    try:
        signature = bytes.fromhex(told.pop(SIGNATURE))
        signer, stamp = Certificate.unpack(bytes.fromhex(told[SIGNER])), int(told[STAMP])
        if not 0 <= stamp < 2**63:
            raise ValueError("no time")
    except (KeyError, ValueError) as error:
        raise SemcomError("The link's report is not signed: set security at the RSU.") from error
    if told.get("vehicle") != str(vehicle):
        raise SemcomError("The link's report is about another vehicle.")
    if stamp <= newest:
        raise SemcomError("The link's report has come before, or is older than one that has.")
    off = keys.clock() - stamp / 1e9
    if abs(off) > CLOCKS_S:
        raise SemcomError(
            f"The link's report is of {utc(stamp / 1e9)} by the RSU's clock, {abs(off):.0f} s "
            f"{'before' if off > 0 else 'after'} this machine's: synchronise the clocks."
        )
    keys.check(signer, Role.RSU)
    if not signer.signed(_message(told), signature):
        raise SemcomError("The link's report is forged: its signature is not the RSU's.")
    return signer, stamp


def _message(values: Mapping[str, str]) -> bytes:
    return b"semcom report" + json.dumps(values, sort_keys=True).encode()
