# SPDX-License-Identifier: Apache-2.0
"""SQ-GAN's tokens under study: any share of the vectors, what SAMM keeps, parts that are lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from semcom_ros.datasets.scenes.drive import Drive
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame
from semcom_ros.lab.evaluation.study.links import parse_links
from semcom_ros.lab.evaluation.study.outcome import Outcome
from semcom_ros.lab.evaluation.study.plots import draw_plots
from semcom_ros.lab.evaluation.study.pools import Score, over_area
from semcom_ros.lab.evaluation.study.study_file import CEILING, Cell, parse_study
from semcom_ros.lab.evaluation.study.systems import create_system
from semcom_ros.lab.evaluation.study.tables import Record, Scores
from semcom_ros.lab.metrics.confusion import psnr

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def frame() -> Frame:
    street = Drive(3).render(10)
    return Frame(street.image, street.labels)


def shown(
    frame: Frame, link: Any = "none", system: str = "sqgan_tokens", **options: Any
) -> Outcome:
    made = create_system(system, options)
    made.prepare([frame])
    made.begin(*parse_links(link), 1)
    return made.run(frame, frame.labels, 0)


def test_more_vectors_take_more_bytes_and_bring_the_image_nearer(frame: Frame) -> None:
    few, all_of_them = (shown(frame, image_kept=share) for share in (0.05, 1.0))
    assert few.bytes < all_of_them.bytes
    assert np.array_equal(few.reconstruction.labels, frame.labels)
    near = [psnr(frame.image, one.reconstruction.image) for one in (few, all_of_them)]
    assert near[0] < near[1]
    # 26 of the 512 vectors of 16x16 pixels: 5 % of them.
    assert few.reconstruction.support.sum() == 26 * 256
    assert all_of_them.reconstruction.support.all()


def test_the_map_goes_as_tokens_where_it_has_a_share(frame: Frame) -> None:
    """Both pipelines with all their vectors take .078 bit a pixel, and less coded (the paper)."""
    few, whole = (shown(frame, map_kept=share, image_kept=1.0) for share in (0.05, 1.0))
    right = [(one.reconstruction.labels == frame.labels).mean() for one in (few, whole)]
    assert right[0] < right[1]
    assert few.bits_per_pixel < whole.bits_per_pixel < 0.078


def test_samm_keeps_other_vectors_than_chance_which_keeps_the_same_by_frame(frame: Frame) -> None:
    samm, random, again = (
        shown(frame, mask=mask).reconstruction.support for mask in ("samm", "random", "random")
    )
    assert np.array_equal(random, again) and not np.array_equal(samm, random)
    assert samm.sum() == random.sum()
    blind = shown(frame, score="unconditioned").reconstruction.support
    assert not np.array_equal(samm, blind)


def test_a_class_kept_twice_as_often_as_its_area_counts_two() -> None:
    # Of 200 pixels 50 are chosen; the class has 20 of all and 10 of those.
    assert over_area([(10, 50, 20, 200), None], 1) == Score(2.0, 1)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"image_kept": 0}, "image_kept is 0"),
        ({"map_kept": 1.5}, "map_kept is 1.5"),
        ({"mask": "sam"}, "did you mean 'samm'"),
    ],
)
def test_shares_and_masks_that_are_none_are_sentences(options: dict, sentence: str) -> None:
    with pytest.raises(SemcomError, match=sentence):
        create_system("sqgan_tokens", options)


def test_a_pipeline_that_was_not_trained_leaves_its_row_empty(tmp_path: Path) -> None:
    made = create_system("sqgan_tokens", {"weights": f"{tmp_path}/image.safetensors"})
    assert "semcom train sqgan" in made.lacks


def test_the_fewer_parts_arrive_the_farther_the_image(frame: Frame) -> None:
    sent = {"system": "codec", "codec": "sqgan", "payload_bytes": 1200}
    images = [shown(frame, {"parts": n}, **sent).reconstruction.image for n in (3, 1, 0)]
    near = [psnr(frame.image, image) for image in images]
    assert near[0] > near[1] > near[2]
    (link,) = parse_links({"parts": 1})
    assert (link.level, link.place, link.level_db) == ("1 beside the first part", 1, None)
    with pytest.raises(SemcomError, match="setting of lost parts"):
        parse_links({"parts": 1, "snr_db": 3})


def test_quality_over_two_options_is_drawn_as_a_surface(tmp_path: Path) -> None:
    row = {"system": "sqgan_tokens", "image_kept": [0.1, 0.9], "map_kept": [0.1, 0.5, 0.9]}
    table = {"title": "T", "data": "scenes:1", "systems": [row], "metrics": "psnr",
             "surface": ["image_kept", "map_kept"]}  # fmt: skip
    (made,) = parse_study({"tables": [table]}).tables
    cells = [Cell(made, "scenes:1", entry, made.links[0]) for entry in (*made.entries, CEILING)]
    records = [Record(c, "", None, "psnr", Score(20.0 + i, 2)) for i, c in enumerate(cells)]
    drawn = draw_plots(tmp_path, Scores(made, "scenes:1", records))
    assert [path.name for path in drawn] == ["t-scenes-1-surfaces.png"]
    with pytest.raises(SemcomError, match="lies over two options"):
        parse_study({"tables": [{**table, "surface": ["image_kept"]}]})
