"""Which weeks are exported, and the current maps of them."""

from __future__ import annotations

from collections.abc import Sequence

from shared.items.catalogue import Catalogue
from shared.items.collections import MAPS
from shared.items.item import Item

MOST_LISTED = 60
"""Weeks that a message lists: a year and some."""


class NoSuchWeek(ValueError):
    """Raised when a week has no map; the message says which weeks have."""


def choose_weeks(catalogue: Catalogue, asked: Sequence[str]) -> dict[str, list[Item]]:
    """Return the current maps of some weeks, one for each sheet; other weeks are not read.

    Args:
        catalogue: a look at the store.
        asked: weeks, each once; none = the newest week that has a current map.

    Raises:
        NoSuchWeek: one of them has none.
    """
    known = catalogue.weeks(MAPS)
    if not asked:
        return _newest(catalogue, known)
    found = {}
    for week in dict.fromkeys(asked):
        maps = catalogue.current(MAPS, week) if week in known else []
        if not maps:
            raise NoSuchWeek(f"{week}: no map of this week; {weeks_there_are(known)}")
        found[week] = maps
    return found


def _newest(catalogue: Catalogue, known: Sequence[str]) -> dict[str, list[Item]]:
    for week in reversed(known):
        if maps := catalogue.current(MAPS, week):
            return {week: maps}
        catalogue.let_go(week)
    raise NoSuchWeek("no map yet; `landstream run` makes them")


def weeks_there_are(known: Sequence[str]) -> str:
    """Return which weeks have maps, for people."""
    if not known:
        return "there is none of any week; `landstream run` makes them"
    earlier = len(known) - MOST_LISTED
    more = f"{earlier} earlier ones, " if earlier > 0 else ""
    return f"there are maps of {more}{', '.join(known[-MOST_LISTED:])}"
