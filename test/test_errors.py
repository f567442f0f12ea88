# SPDX-License-Identifier: Apache-2.0
"""A wrong name gets a sentence that helps."""

from __future__ import annotations

import pytest

from semcom_ros.errors import SemcomError, choose


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
