# SPDX-License-Identifier: Apache-2.0
"""The rate of SQ-GAN's paper, equations 2 to 4, and what it leaves out."""

from __future__ import annotations

import pytest

from semcom_ros.lab.papers.sqgan_rates import published_bpp


@pytest.mark.parametrize(("share", "bpp"), [(0.25, 0.0195), (0.5, 0.0391), (1.0, 0.0781)])
def test_ten_bits_an_index_give_the_rates_of_the_papers_pictures(share, bpp):
    """.019, .038 and .078, cut off behind the third digit."""
    kept = round(512 * share)
    assert published_bpp((kept, kept)) == pytest.approx(bpp, abs=1e-4)
    assert published_bpp((kept, 0)) == published_bpp((0, kept)) == pytest.approx(10 * share / 256)


@pytest.mark.parametrize(("share", "more"), [(0.15, 0.0024), (0.25, 0.0032), (0.55, 0.0039)])
def test_positions_add_their_entropy_for_each_pipeline(share, more):
    """41 % of the index bits at .15, 18 % at .55."""
    kept = 512 * share
    added = published_bpp((kept, kept), positions=True) - published_bpp((kept, kept))
    assert added == pytest.approx(2 * more, abs=1e-4)
    assert added / published_bpp((kept, kept)) == pytest.approx(
        {0.15: 0.41, 0.25: 0.32, 0.55: 0.18}[share], abs=0.01
    )


def test_where_all_or_none_are_sent_no_position_needs_telling():
    for kept in ((512, 512), (0, 512), (0, 0)):
        assert published_bpp(kept, positions=True) == published_bpp(kept)
