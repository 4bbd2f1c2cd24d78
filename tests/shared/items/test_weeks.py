"""Weeks in words."""

from __future__ import annotations

import pytest

from shared.items.weeks import BadKey, spell_week


@pytest.mark.parametrize(
    ("week", "words"),
    [
        ("2018-W25", "18 to 24 June 2018"),
        ("2018-W22", "28 May to 3 June 2018"),
        ("2020-W01", "30 December 2019 to 5 January 2020"),
        ("2020-W53", "28 December 2020 to 3 January 2021"),
    ],
)
def test_a_week_is_spelt_as_people_write_dates(week: str, words: str) -> None:
    assert spell_week(week) == words


def test_static_is_no_week() -> None:
    with pytest.raises(BadKey):
        spell_week("2018-W54")
