"""Merge a scene or frame into the cube's arrays, pixels and ledger together: the same steps for both sensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

import zarr

from services.tiler.arrays import array_at, group_at
from services.tiler.ledger import Ledger
from services.tiler.superseded import note_superseded
from shared.geo import TileIndex
from shared.stage import BrokenPicture, RetryLater

Progress = Callable[[int, int], None]
Tiles = Set[TileIndex]


class Observation(Protocol):
    """One product as candidates for the cube."""

    product: str
    number: int


ObservationT = TypeVar("ObservationT", bound=Observation)


@dataclass(frozen=True)
class Sensor(Generic[ObservationT]):
    """How the arrays of one sensor are written.

    Attributes:
        path: of its group below the year's.
        clear: (year's group, week index, tile): empty a tile-week, pixels that it shares with a neighbour too.
        merge: (year's group, week index, observation, ledger, tiles, progress): merge what lies in the tiles (None = in
            any) and is not in the ledger yet, and note it there.
    """

    path: str
    clear: Callable[[zarr.Group, int, TileIndex], None]
    merge: Callable[[zarr.Group, int, ObservationT, Ledger, Tiles | None, Progress], None]


def rebuild_then_merge(
    sensor: Sensor[ObservationT],
    group: zarr.Group,
    week: int,
    observation: ObservationT | None,
    *,
    others: Mapping[int, Callable[[], ObservationT]],
    outdated: Sequence[int],
    again: Tiles | None,
    now: datetime,
    restored: Sequence[int] = (),
    revived: Sequence[int] = (),
    progress: Progress = lambda done, total: None,
) -> None:
    """Merge an observation; rebuild first the tiles into which an outdated product was merged.

    Args:
        sensor: whose arrays.
        group: the group of the year.
        week: index along the week axis.
        observation: the scene or frame; None = only rebuild (a withdrawal).
        others: number -> how it is opened, of the other current products of the week, for rebuilding.
        outdated: numbers of the superseded or withdrawn products.
        again: tiles that another writer changed after this product was merged into them; None = nothing is merged yet.
        now: the present, with time zone.
        restored: numbers of the products that are current again, since one was withdrawn or restored.
        revived: numbers of those of `others` that a withdrawn product had superseded: merged wherever they lack, as
            they had left all their tiles, of which the withdrawn one may have touched only some.
        progress: called with (done, total) blocks.

    Raises:
        Superseded: another writer made the product outdated.
        RetryLater: a tile that is to be rebuilt holds a product that is not at hand, or another product is broken.
    """
    own = {observation.number} if observation else set()
    note_superseded(group_at(group, sensor.path), week, outdated, by=min(own, default=None), now=now, restored=restored)
    ledger = Ledger(array_at(group, f"{sensor.path}/scenes"), week)
    if again and observation is not None:
        ledger.forget(again, observation.number)
    stale = {*ledger.holding(outdated), *(again if again and outdated else ())}
    if stale:
        ledger.require_known(stale, {*others, *outdated, *own})
        for tile in sorted(stale):
            ledger.clear(tile)
            sensor.clear(group, week, tile)
    for number, open_other in others.items():
        tiles = None if number in revived else stale
        if tiles is None or tiles:
            _merge_other(sensor, group, week, open_other, ledger, tiles)
    if observation is not None and (again is None or again):
        sensor.merge(group, week, observation, ledger, again, progress)
    ledger.save()


def _merge_other(
    sensor: Sensor[ObservationT],
    group: zarr.Group,
    week: int,
    open_other: Callable[[], ObservationT],
    ledger: Ledger,
    tiles: Tiles | None,
) -> None:
    try:
        sensor.merge(group, week, open_other(), ledger, tiles, lambda done, total: None)
    except BrokenPicture as error:  # its own job says so; this one is planned without it then
        raise RetryLater(f"another scene of the week is broken ({error})") from error
