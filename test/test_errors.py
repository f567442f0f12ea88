# SPDX-License-Identifier: Apache-2.0
"""A wrong name gets a sentence that helps."""

from __future__ import annotations

import pytest

from semcom_ros.errors import SemcomError, choose
from semcom_ros.payload import PayloadError


def test_a_valid_name_is_returned() -> None:
    assert choose("awgn", ["none", "awgn"], "channel") == "awgn"


def test_a_misspelt_name_gets_the_nearest_valid_one() -> None:
    with pytest.raises(SemcomError) as caught:
        choose("agwn", ["none", "awgn"], "channel")
    assert str(caught.value) == (
        "There is no channel 'agwn': did you mean 'awgn'? Valid: awgn, none."
    )


def test_a_name_like_no_other_gets_the_list_alone() -> None:
    with pytest.raises(SemcomError) as caught:
        choose("zzzz", ["none", "awgn"], "channel")
    assert str(caught.value) == "There is no channel 'zzzz': Valid: awgn, none."


HOSTILE = "a\nWARN b\x1b[2J\u202e"
ESCAPED = r"a\nWARN b\x1b[2J\u202e"


@pytest.mark.parametrize(
    "error",
    [
        SemcomError(f"There is no file '{HOSTILE}'."),
        PayloadError("malformed", f"There is no file '{HOSTILE}'."),
    ],
)
def test_what_others_chose_is_quoted_on_one_line(error: SemcomError) -> None:
    assert str(error) == f"There is no file '{ESCAPED}'."


def test_what_every_language_prints_is_left_as_it_is() -> None:
    text = "Straße nach 東京, 25 °C: 'café'"
    assert str(SemcomError(text)) == text
