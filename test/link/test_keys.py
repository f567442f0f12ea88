# SPDX-License-Identifier: Apache-2.0
"""Folders of keys: how they are made, shown, read anew, and what is wrong with them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from key_folders import DAY, Clock, make_keys

from semcom_ros.cli import main
from semcom_ros.errors import SemcomError
from semcom_ros.link.certificates import CERTIFICATE_BYTES, Certificate, Role, new_key, sign
from semcom_ros.link.keys import OWN, REVOKED, TRUSTED, KeyFolder
from semcom_ros.payload import PayloadError


def test_the_command_makes_what_a_host_needs_and_shows_it(tmp_path: Path, capsys) -> None:
    town, car = str(tmp_path / "town"), tmp_path / "car"
    assert main(["keys", "make", "authority", "--out", town]) == 0
    assert main(["keys", "make", "rsu", "--out", town, "--days", "30"]) == 0
    (tmp_path / "town" / REVOKED).write_text("00112233aabbccdd # a lost one\n")
    words = ["keys", "make", "vehicle", "--number", "7", "--authority", town, "--out", str(car)]
    assert main(words) == 0
    assert main([*words, "--in-days", "20"]) == 0
    files = {str(file.relative_to(car).parent / file.suffix): file for file in car.glob("*/*")}
    assert {*files} == {f"{OWN}/.key", f"{OWN}/.cert", f"{TRUSTED}/.cert"}
    assert (car / REVOKED).read_text().startswith("0011")
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in car.glob(f"{OWN}/*"))
    assert not list((tmp_path / "car").glob("*/authority*.key"))
    capsys.readouterr()
    assert main(["keys", "show", str(car)]) == 0
    shown = capsys.readouterr().out
    assert shown.count("of vehicle 7") == 2 and shown.count("holds now") == 2
    assert shown.count("is not valid before") == 1
    assert main(["keys", "make", "vehicle", "--out", str(car)]) == 2
    assert "no key of an authority" in capsys.readouterr().err


def test_a_folder_is_read_anew_when_it_changes_and_what_cannot_be_read_changes_nothing(
    tmp_path: Path,
) -> None:
    clock = Clock()
    keys = KeyFolder(make_keys(tmp_path, 3), clock)
    certificate = keys.own(Role.VEHICLE, 3).certificate
    keys.check(certificate, Role.VEHICLE)
    (tmp_path / REVOKED).write_text("nonsense\n")
    clock.now += 2
    keys.check(certificate, Role.VEHICLE)
    assert "nonsense" in keys.trouble
    (tmp_path / REVOKED).write_text(f"# stolen\n\n{certificate.digest.hex()}\n")
    clock.now += 2
    with pytest.raises(PayloadError, match="revoked"):
        keys.check(certificate, Role.VEHICLE)
    with pytest.raises(SemcomError, match="revoked"):
        keys.own(Role.VEHICLE, 3)
    (tmp_path / REVOKED).unlink()
    clock.now += 2
    keys.check(certificate, Role.VEHICLE)
    assert not keys.trouble
    shutil.rmtree(tmp_path / TRUSTED)
    clock.now += 2
    with pytest.raises(PayloadError, match="not trusted"):
        keys.check(certificate, Role.VEHICLE)


def test_a_revoked_or_outdated_authority_takes_its_certificates_with_it(tmp_path: Path) -> None:
    clock = Clock()
    keys = KeyFolder(make_keys(tmp_path, 3), clock)
    pair, authority = keys.own(Role.VEHICLE, 3), keys.own(Role.AUTHORITY)
    validity = (0, int(clock.now + 9 * DAY))
    longer = Certificate.issue(Role.VEHICLE, 3, validity, pair.key, authority)
    keys.check(longer, Role.VEHICLE)
    clock.now += 3 * DAY
    with pytest.raises(PayloadError, match="an authority was valid until"):
        keys.check(longer, Role.VEHICLE)
    clock.now -= 3 * DAY
    (tmp_path / REVOKED).write_text(authority.certificate.digest.hex())
    with pytest.raises(PayloadError, match="revoked"):
        keys.check(longer, Role.VEHICLE)


def test_a_forged_certificate_is_verified_once_and_remembered_within_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = KeyFolder(make_keys(tmp_path))
    issuer = keys.own(Role.AUTHORITY).certificate.digest
    verified = []
    monkeypatch.setattr(Certificate, "issued_by", lambda *pair: verified.append(pair))
    monkeypatch.setattr("semcom_ros.link.keys.MOST_REMEMBERED", 8)
    for number in [1] * 5 + [*range(2, 40)]:
        forged = Certificate(Role.VEHICLE, number, 0, 2**32 - 1, bytes(33), issuer)
        with pytest.raises(PayloadError, match="forged"):
            keys.check(forged, Role.VEHICLE)
    assert len(verified) == 39 and len(keys._forged) <= 8


@pytest.mark.parametrize("wrong", ["open", "no key", "no pair", "no certificate", "no folder"])
def test_a_folder_that_cannot_be_used_is_a_sentence(tmp_path: Path, wrong: str) -> None:
    folder = make_keys(tmp_path / "keys", 3)
    (key,) = folder.glob(f"{OWN}/vehicle*.key")
    if wrong == "open":
        key.chmod(0o640)
    elif wrong == "no key":
        key.write_bytes(b"-----BEGIN")
    elif wrong == "no pair":
        key.unlink()
    elif wrong == "no certificate":
        (folder / TRUSTED / "x.cert").write_bytes(bytes(CERTIFICATE_BYTES))
    else:
        folder = tmp_path / "nowhere"
    with pytest.raises(SemcomError, match=r"keys|key|nowhere"):
        KeyFolder(folder)
    with pytest.raises(SemcomError, match="needs keys"):
        KeyFolder.named("")


def test_a_certificate_comes_back_from_its_bytes_and_a_key_that_is_no_point_signs_nothing() -> None:
    key = new_key()
    made = Certificate.issue(Role.RSU, 0, (1, 2), key)
    read = Certificate.unpack(made.packed)
    assert read == made and len(made.packed) == CERTIFICATE_BYTES == 119
    assert read.signed(b"word", sign(key, b"word"))
    assert not read.signed(b"other", sign(key, b"word"))
    nobody = Certificate(Role.RSU, 0, 1, 2, bytes(33))
    assert not nobody.signed(b"word", sign(key, b"word"))
    for data in (b"", made.packed[:-1], b"\x09" + made.packed[1:], b"\x01\x09" + made.packed[2:]):
        with pytest.raises(SemcomError, match="none"):
            Certificate.unpack(data)
