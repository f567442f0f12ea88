# SPDX-License-Identifier: Apache-2.0
"""`semcom keys make` and `semcom keys show`: the folders that `security` works with."""

from __future__ import annotations

import argparse
import os
import shutil
import time
from pathlib import Path

from cryptography.hazmat.primitives import serialization as as_text

from semcom_ros.link.certificates import Certificate, Role, new_key
from semcom_ros.link.keys import OWN, REVOKED, TRUSTED, KeyFolder, utc
from semcom_ros.parameter import Parameter

DAY_S = 86_400
NUMBER = Parameter("number", 1, "number of the vehicle", 0, 2**32 - 1)
DAYS = Parameter("days", 365.0, "how long the certificate is valid", 1e-3, 36_500.0)
EARLY_S = 60
"""A certificate is valid from so long before it is made: clocks differ."""


class Make:
    """`semcom keys make`."""

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        roles = [role.name.lower() for role in Role]
        parser.add_argument("role", choices=roles, help="whose key it is")
        parser.add_argument("--out", type=Path, default=Path("keys"), help="the host's folder")
        parser.add_argument(
            "--authority",
            type=Path,
            help="folder with the authority's key (default: that of --out)",
        )
        for p in (NUMBER, DAYS):
            parser.add_argument(f"--{p.name}", type=type(p.default), default=p.default, help=p.text)
        parser.add_argument(
            "--in-days", type=float, default=0.0, help="when it begins to be valid, for rotation"
        )

    @staticmethod
    def run(args: argparse.Namespace) -> None:
        role = Role[args.role.upper()]
        number = NUMBER.check(args.number) if role is Role.VEHICLE else 0
        begins = time.time() + DAY_S * args.in_days - EARLY_S
        validity = (begins, begins + EARLY_S + DAY_S * float(DAYS.check(args.days)))
        made = make(role, int(number), args.out, args.authority, validity)
        print(f"{made}, in '{args.out / OWN}', is valid until {utc(made.ends)}.")


class Show:
    """`semcom keys show`."""

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, nargs="?", default=Path("keys"))

    @staticmethod
    def run(args: argparse.Namespace) -> None:
        keys = KeyFolder(args.folder)
        for place, one in keys.all():
            state = keys.problem(one) or f"{one} holds now."
            valid = f"Valid {utc(one.begins)} to {utc(one.ends)}, issued by {one.issuer.hex()}."
            print(f"{place:8}{state} {valid}")


def make(
    role: Role, number: int, out: Path, authority: Path | None, validity: tuple[float, float]
) -> Certificate:
    """A new pair in the folder `out`, by the authority in the folder `authority`, whose trust it
    then shares; an authority's is issued by itself, and trusted there.

    validity: from and to, s since 1970. Raises SemcomError where there is no valid authority.
    """
    issuer = None if role is Role.AUTHORITY else KeyFolder(authority or out).own(Role.AUTHORITY)
    key, (begins, ends) = new_key(), map(int, validity)
    made = Certificate.issue(role, number, (begins, ends), key, issuer)
    for folder in (OWN, TRUSTED):
        (out / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    name = f"{role.name.lower()}_{number}_{made.digest.hex()}"
    private = key.private_bytes(
        as_text.Encoding.PEM, as_text.PrivateFormat.PKCS8, as_text.NoEncryption()
    )
    # The certificate last: who looks at the folder meanwhile finds no half of a pair.
    for file, content in ((f"{OWN}/{name}.key", private), (f"{OWN}/{name}.cert", made.packed)):
        with os.fdopen(
            os.open(out / file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
        ) as to:
            to.write(content)
    if issuer is None:
        shutil.copy(out / OWN / f"{name}.cert", out / TRUSTED)
    elif authority and not authority.samefile(out):
        for shared in (*authority.glob(f"{TRUSTED}/*.cert"), *authority.glob(REVOKED)):
            shutil.copy(shared, out / shared.relative_to(authority))
    return made


def make_street(folder: Path, *vehicles: int) -> None:
    """A folder with all keys that a trial on one machine needs, for a day: an authority's, an RSU's
    and those of `vehicles`."""
    validity = (time.time() - EARLY_S, time.time() + DAY_S)
    for role, number in (
        (Role.AUTHORITY, 0),
        (Role.RSU, 0),
        *((Role.VEHICLE, n) for n in vehicles),
    ):
        make(role, number, folder, None, validity)
