"""Notes of the products that are not to be merged any more, for writers that are at work when it is found out.

A tiler plans before it merges; meanwhile another may have merged a higher version of the scene, of which the first one
does not know. The note is written in the transaction of the higher version, so that one of the two meets what the other
has done. Who plans afterwards knows of the higher version: a note matters for as long as a job may take.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

import zarr

ATTRIBUTE: Final = "superseded"
"""Attribute of a sensor's group: week index -> number of the product, as text -> when it was noted."""
# As text: JSON's numbers end at 53 bits.

MATTERS: Final = timedelta(days=1)
"""Older notes are dropped. A job ends within an hour; the rest is for clocks that differ and for jobs that wait."""


class Superseded(Exception):
    """Raised when another writer has put a higher version, or a withdrawal, of the scene into the cube."""


def note_superseded(
    group: zarr.Group,
    week: int,
    outdated: Iterable[int],
    *,
    by: int | None,
    now: datetime,
    restored: Iterable[int] = (),
) -> None:
    """Note which products are outdated, in the transaction that takes them out.

    Args:
        group: the sensor's group.
        week: index along the week axis.
        outdated: numbers of the products.
        by: number of the product that is merged; None = only taken out (a withdrawal).
        now: the present, with time zone.
        restored: numbers of products that are current again since something was withdrawn or restored.

    Raises:
        Superseded: the product that is merged was itself noted.
    """
    noted = _read(group, now)
    before = noted.get(str(week), {})
    here = {number: at for number, at in before.items() if number not in set(map(str, restored))}
    if by is not None and str(by) in here:
        raise Superseded
    new = {str(n) for n in outdated if n != by} - here.keys()
    if not new and here == before:
        return
    noted[str(week)] = here | dict.fromkeys(sorted(new), now.isoformat())
    oldest = now - MATTERS
    kept = {w: {n: at for n, at in notes.items() if datetime.fromisoformat(at) > oldest} for w, notes in noted.items()}
    group.attrs[ATTRIBUTE] = {w: notes for w, notes in kept.items() if notes}


def _read(group: zarr.Group, now: datetime) -> dict[str, dict[str, str]]:
    noted: Any = group.attrs.get(ATTRIBUTE, {})
    # A cube of before holds lists without a time: they count from now on.
    return {
        week: dict(notes) if isinstance(notes, dict) else dict.fromkeys(notes, now.isoformat())
        for week, notes in noted.items()
    }
