"""The tiler: the only writer of the cube, one transaction for each scene."""

from __future__ import annotations

from typing import Any

from services.tiler.apply import apply, is_of_withdrawal
from services.tiler.stage import SENSORS, TilerSettings
from shared.items.properties import UpdateFacts
from shared.items.sheets import runs_of
from shared.items.weeks import STATIC, rfc3339, week_bounds
from shared.stage import NewItem, Task


def process(task: Task[TilerSettings]) -> NewItem:
    """Merge one scene, frame or label raster into the cube, or take a withdrawn product out."""
    first = task.inputs[0].item
    sensor = str(task.job.notes.get("sensor") or SENSORS[first.collection])
    touched = apply(task, sensor)
    if is_of_withdrawal(task):
        touched = []  # it counts in no ledger: the product's own update does, or no longer does
    p = first.properties
    if task.job.week == STATIC:
        times: dict[str, Any] = {"datetime": p["datetime"]}
    else:
        start, end = map(rfc3339, week_bounds(task.job.week))
        times = {"datetime": None, "start_datetime": start, "end_datetime": end}
    west, south, east, north = first.json["bbox"]
    facts = UpdateFacts(
        sensor=sensor,
        week=task.job.week,
        product=p.get("landstream:product", task.job.product),
        tiles=tuple((row, west_col, east_col) for row, west_col, east_col in runs_of(touched)),
        attribution=p.get("landstream:attribution", ""),
    )
    return NewItem(first.json["geometry"], (west, south, east, north), times | facts.properties())
