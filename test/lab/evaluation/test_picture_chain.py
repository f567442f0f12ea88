# SPDX-License-Identifier: Apache-2.0
"""The classical chain under study: equal channel uses by every scheme, and the best of them."""

from __future__ import annotations

import numpy as np
import pytest
from test_study_report import scores

from semcom_ros.channel.phy.mcs import MCS_TABLE, symbols_needed
from semcom_ros.frame import Frame
from semcom_ros.lab.evaluation.study.links import Link, parse_links
from semcom_ros.lab.evaluation.study.outcome import Outcome
from semcom_ros.lab.evaluation.study.picture_chain import bytes_within
from semcom_ros.lab.evaluation.study.study_file import Table, parse_study
from semcom_ros.lab.evaluation.study.systems import GREY, create_system
from semcom_ros.lab.evaluation.study.tables import grids
from semcom_ros.labels import VOID

pytestmark = pytest.mark.usefixtures("one_thread")
NOISE = np.random.default_rng(0).integers(0, 256, (256, 512, 3), np.uint8)


@pytest.mark.parametrize("mcs", MCS_TABLE, ids=lambda mcs: mcs.name)
def test_a_scheme_brings_the_most_bytes_that_its_channel_uses_hold(mcs) -> None:
    for payload_bytes in (128, 512, 3072):
        most = bytes_within(payload_bytes, mcs)
        assert symbols_needed(most, mcs) <= 8 * payload_bytes < symbols_needed(most + 1, mcs)


def sent(options: dict, link: object, frames: int = 1) -> list[Outcome]:
    system = create_system("picture_chain", {"codec": "classical", **options})
    pictures = [Frame(NOISE // 2 + i) for i in range(frames)]
    system.prepare(pictures)
    system.begin(*parse_links(link), 1)
    return [system.run(frame, None, i) for i, frame in enumerate(pictures)]


def test_its_own_scheme_holds_whatever_the_link_has() -> None:
    link = {"channel": "awgn", "snr_db": 14, "mcs": "64qam_5/6"}
    (fast,), (slow,) = (sent({"mcs": mcs}, link) for mcs in ("64qam_5/6", "16qam_5/6"))
    assert (fast.lost, slow.lost) == (True, False)
    assert 0.95 * 4096 < slow.channel_uses <= 4096


def test_a_lost_block_is_concealed_by_the_last_picture_or_by_grey() -> None:
    link = {"channel": "awgn", "loss": 0.5}
    last, grey = (sent({"conceal": how}, link, 8) for how in ("last", "grey"))
    lost = [outcome.lost for outcome in grey]
    assert lost == [outcome.lost for outcome in last] and set(lost) == {False, True}
    assert [(o.reconstruction.image == GREY).all() for o in grey] == lost
    first = lost.index(False)
    assert not any((o.reconstruction.image == GREY).all() for o in last[first:])


def test_a_reader_makes_the_map_of_what_arrived_and_of_grey_there_is_none() -> None:
    options = {"reader": "perception", "conceal": "grey"}
    arrived, lost = (sent(options, {"channel": "awgn", "loss": loss})[0] for loss in (0.0, 1.0))
    assert len(np.unique(arrived.reconstruction.labels)) > 1
    assert (lost.reconstruction.labels == VOID).all()


SCHEMES = ["qpsk_1/2", "16qam_1/2"]


def chained(**more: object) -> Table:
    chain = {"system": "picture_chain", "name": "jpeg", "payload_bytes": 512, "mcs": SCHEMES}
    table = {"title": "T", "data": "scenes:1", "metrics": ["psnr", "lost"], "systems": [chain],
             "links": {"channel": "awgn", "snr_db": [0, 10]}, **more}  # fmt: skip
    return parse_study({"tables": [table]}).tables[0]


def test_the_envelope_is_a_row_with_the_best_scheme_over_each_link_named() -> None:
    table = chained()
    (row,) = table.entries
    assert [entry.title for entry in row.schemes] == [f"jpeg, 512 bytes, {s}" for s in SCHEMES]
    assert [dict(entry.options)["mcs"] for entry in row.schemes] == SCHEMES
    assert "mcs" not in dict(row.options)
    found = scores(table, {
        ("jpeg, 512 bytes, qpsk_1/2", "psnr"): 20.0, ("jpeg, 512 bytes, 16qam_1/2", "psnr"): 22.0,
        ("jpeg, 512 bytes, qpsk_1/2", "lost"): 0.0, ("jpeg, 512 bytes, 16qam_1/2", "lost"): 0.5,
    })  # fmt: skip
    psnr, lost = grids(found)
    assert psnr.rows[0] == ("jpeg, 512 bytes", ["22.00 ±1.00 16qam_1/2"] * 2)
    # Fewer losses are better.
    assert lost.rows[0][1] == ["0.000 ±1.000 qpsk_1/2"] * 2


def test_one_scheme_alone_is_a_row_of_its_own() -> None:
    table = chained(systems={"system": "picture_chain", "mcs": "16qam_5/6"})
    (row,) = table.entries
    assert row.schemes == () and dict(row.options)["mcs"] == "16qam_5/6"
    assert row.measured == (row,) and Link() not in table.links
