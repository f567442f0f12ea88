# SPDX-License-Identifier: Apache-2.0
"""The RSU's report as bytes: whatever comes is a report within bounds, or a sentence."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom_ros.errors import SemcomError
from semcom_ros.link.link_report import MOST_VALUES, LinkReport, read

GOOD = LinkReport("/v/rsu_node/link", 1, 10**18, "asking", {"loss": "", "task": "ü\n\x00"})


def test_a_report_is_read_as_it_was_written():
    assert read(GOOD.pack()) == GOOD


@pytest.mark.parametrize(
    "changed",
    [
        {"name": 3}, {"level": 4}, {"level": True}, {"level": 0.5}, {"stamp": -1},
        {"stamp": 2**31 * 10**9}, {"message": None}, {"values": []}, {"values": {"a": 1}},
        {"values": {str(i): "" for i in range(MOST_VALUES + 1)}}, {"values": {"a": "x" * 9000}},
    ],
)  # fmt: skip
def test_what_is_out_of_bounds_is_refused_on_both_ends(changed: dict):
    wrong = GOOD._replace(**changed)
    with pytest.raises(SemcomError, match="report on the link cannot be read"):
        read(json.dumps(wrong).encode())
    with pytest.raises(SemcomError):
        wrong.pack()


ANY = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.binary() | ANY.map(lambda any: json.dumps(any).encode()))
def test_any_bytes_are_refused_with_a_sentence(data: bytes):
    with pytest.raises(SemcomError):
        read(data)


def test_deep_nesting_is_refused():
    with pytest.raises(SemcomError):
        read(b"[" * 8000)
