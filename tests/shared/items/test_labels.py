"""Which label delivery is burned: the order of the editions of a campaign."""

from __future__ import annotations

import itertools

import pytest

from shared.items.labels import edition_order

EDITIONS = ["", "V18_5", "V18_5_1", "V2018_20b2", "V2018_20", "V2020_20b2", "V2020_20", "V2020_20u1", "V2020_20u2"]
EDITIONS += ["V2020_20u10", "V2020_21b1", "V2020_21"]


@pytest.mark.parametrize(("older", "newer"), list(itertools.pairwise(EDITIONS)))
def test_editions_sort_as_eea_counts_them(older: str, newer: str) -> None:
    """A beta comes before its edition, an update after it, whatever follows in an archive's name."""
    for one in (older, older.upper(), f"{older}_fgdb" if older else ""):
        for other in (newer, newer.upper(), f"{newer}_geoPackage", newer.replace("_", ".", 1)):
            assert edition_order(one) < edition_order(other), (one, other)


def test_one_edition_is_the_same_however_it_is_packed() -> None:
    assert len({edition_order(f"V2020_20U1{end}") for end in ("", "_FGDB", "_geoPackage", "_FR_GLP")}) == 1


def test_an_edition_counts_more_than_what_a_cube_won_by_before() -> None:
    """Cubes remember releases as they were written, archive's suffix included."""
    assert edition_order("V2020_20U1") > "V2020_20_FGDB"
