"""Which weeks are exported; an unknown one is refused with those that exist."""

from __future__ import annotations

import pytest

from landstream.export.weeks import NoSuchWeek, choose_weeks
from shared.items.item import Item


class Maps:
    """A catalogue of maps that notes which weeks are read."""

    def __init__(self, current: dict[str, int]) -> None:
        self._current = current
        self.read: list[str] = []

    def weeks(self, collection: str) -> list[str]:
        return sorted(self._current)

    def current(self, collection: str, week: str) -> list[Item]:
        self.read.append(week)
        said = {"collection": collection, "properties": {}, "assets": {}}
        return [Item({**said, "id": f"m{n}--v2-0000000a"}, week) for n in range(self._current[week])]

    def let_go(self, week: str) -> None: ...


def test_the_newest_week_with_a_current_map() -> None:
    maps = Maps({f"2018-W{n:02d}": n % 5 for n in range(1, 41)})
    chosen = choose_weeks(maps, [])  # type: ignore[arg-type]
    assert {week: len(items) for week, items in chosen.items()} == {"2018-W39": 4}
    assert maps.read == ["2018-W40", "2018-W39"], "older weeks are not read"


def test_weeks_that_were_asked_for_are_read_and_no_other() -> None:
    maps = Maps({f"2018-W{n:02d}": 1 for n in range(1, 41)})
    chosen = choose_weeks(maps, ["2018-W07", "2018-W03", "2018-W07"])  # type: ignore[arg-type]
    assert list(chosen) == ["2018-W07", "2018-W03"] == maps.read


def test_an_unknown_week_is_refused_with_those_that_exist() -> None:
    with pytest.raises(NoSuchWeek, match=r"2018-W30: no map of this week; there are maps of 2018-W22, 2018-W26$"):
        choose_weeks(Maps({"2018-W22": 1, "2018-W26": 1}), ["2018-W30"])  # type: ignore[arg-type]
    many = Maps({f"{year}-W{n:02d}": 1 for year in (2018, 2019) for n in range(1, 53)})
    with pytest.raises(NoSuchWeek, match=r"maps of 44 earlier ones, 2018-W45, .*2019-W52$"):
        choose_weeks(many, ["26"])  # type: ignore[arg-type]
    for asked in ([], ["2018-W22"]):
        with pytest.raises(NoSuchWeek, match="`landstream run` makes them"):
            choose_weeks(Maps({}), asked)  # type: ignore[arg-type]
