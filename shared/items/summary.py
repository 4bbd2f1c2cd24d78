"""A week in a few lines: what its current updates changed, and how far its products came."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from shared.area import Area
from shared.items.catalogue import Catalogue
from shared.items.champion import champion
from shared.items.collections import LABELS, MAPS, MASKS, OLCI_GRID, SCENES, UPDATES, WITHDRAWALS
from shared.items.ids import canonical
from shared.items.item import Item
from shared.items.model_inputs import inputs_of_model
from shared.items.sheets import count_tiles
from shared.items.tiles import MSI, OLCI, touches
from shared.items.weeks import STATIC, later_week

SENSORS = (MSI, OLCI)
COUNTED = (MSI,)
"""The sensors whose tile-weeks tell how much there is to learn from."""

Step = Literal["found", "registered", "masked", "tiled", "mapped"]


@dataclass(frozen=True)
class WeekSummary:
    """A pure function of a week's items.

    Attributes:
        week: `2018-W23`.
        digests: sensor -> digest of its current updates with at least one tile; a sensor without any is missing.
        tile_weeks: tiles that the current updates of each sensor touch, counted once per update.
        counts: MGRS tile (or `olci`) -> step -> how many products came so far.
    """

    week: str
    digests: Mapping[str, str] = field(default_factory=dict)
    tile_weeks: Mapping[str, int] = field(default_factory=dict)
    counts: Mapping[str, Mapping[Step, int]] = field(default_factory=dict)


def summarize(catalogue: Catalogue, week: str) -> WeekSummary:
    """Return the summary of a week."""
    updates = catalogue.current(UPDATES, week)
    by_sensor = {sensor: [u for u in updates if touches(u, sensor)] for sensor in SENSORS}
    return WeekSummary(
        week,
        {s: digest_ids(u.id for u in found) for s, found in by_sensor.items() if found},
        {s: sum(count_tiles(u.properties["landstream:tiles"]) for u in found) for s, found in by_sensor.items()},
        _counts(catalogue, week, updates),
    )


def digest_ids(ids: Iterable[str]) -> str:
    """Return the first 16 hex digits of the sha256 over sorted ids."""
    return hashlib.sha256(canonical(sorted(ids))).hexdigest()[:16]


def trained_on(area: Area) -> tuple[str, ...]:
    """Return the sensors that training on an area reads: what the others bring changes no cube state."""
    return (MSI, OLCI) if "olci_300m" in area.training.inputs else (MSI,)


def cube_state(summaries: Iterable[WeekSummary], labels: Iterable[Item], sensors: Sequence[str]) -> str:
    """Return the sha256 over the weeks' digests of the sensors that training reads, and the current label rasters."""
    weeks = sorted([s.week, sensor, s.digests[sensor]] for s in summaries for sensor in sensors if sensor in s.digests)
    return hashlib.sha256(canonical([weeks, sorted(i.id for i in labels)])).hexdigest()


def current_labels(catalogue: Catalogue) -> list[Item]:
    """Return the label rasters that are current."""
    return [i for week in catalogue.weeks(LABELS) for i in catalogue.current(LABELS, week)]


def present_state(catalogue: Catalogue) -> str:
    """Return the cube state of a store."""
    return cube_state(summaries(catalogue), current_labels(catalogue), trained_on(catalogue.area))


def summaries(catalogue: Catalogue) -> Sequence[WeekSummary]:
    """Return the summaries of the weeks that hold a cube update; only what changed since the last look is read."""
    if catalogue.given is not None:
        return catalogue.given
    return [summary_of(catalogue, week) for week in data_weeks(catalogue)]


@dataclass(frozen=True)
class KeptSummary:
    """A summary with all that it is a function of.

    Attributes:
        token: see `week_token`.
        asked: product -> ids of its items whose pictures were found broken.
        summary: the summary.
    """

    token: str
    asked: Mapping[str, frozenset[str]]
    summary: WeekSummary


def summary_of(catalogue: Catalogue, week: str) -> WeekSummary:
    """Return the summary of a week, from the last look if the week has the same items as then."""
    token, kept = week_token(catalogue, week), catalogue.kept.get(week)
    if kept is not None and kept.token == token and catalogue.is_broken_as(kept.asked):
        return kept.summary
    known = catalogue.knows(week)
    summary = summarize(catalogue, week)
    products = {i.product for c in SCENES for i in catalogue.items(c, week)}
    broken = {p: found for p, found in catalogue.asked.items() if p in products}
    catalogue.kept[week] = KeptSummary(token, broken, summary)
    if not known or catalogue.looks_back:
        catalogue.let_go(week)
    return summary


def week_token(catalogue: Catalogue, week: str) -> str:
    """Return a digest of which items a week has, and which withdrawals there are; nothing is read.

    Where maps look back, what the cube holds of the weeks before is a part of it: whether a map is current hangs on it.
    """
    ids = [[c, *catalogue.ids(c, week)] for c in catalogue.collections if week in catalogue.weeks(c)]
    back = [later_week(week, -weeks) for weeks in range(1, reach(catalogue) + 1)]
    ids += [[before, *catalogue.ids(UPDATES, before)] for before in back if before in catalogue.weeks(UPDATES)]
    return hashlib.sha256(canonical([ids, list(catalogue.ids(WITHDRAWALS))])).hexdigest()


def reach(catalogue: Catalogue) -> int:
    """Return how many weeks maps may look back: those of the champion, and of whom the area asks to be trained next."""

    def longest() -> int:
        present = champion(catalogue)
        known = inputs_of_model(present).history_weeks if present else 0
        return max(known, catalogue.area.training.history_weeks)

    return catalogue.once(STATIC, "reach", longest)


def _counts(catalogue: Catalogue, week: str, updates: Sequence[Item]) -> dict[str, dict[Step, int]]:
    """Count products, not items: another version of a stage is not another product."""
    counts: dict[str, dict[Step, int]] = {}
    place = {
        i.product: str(i.properties.get("landstream:mgrs_tile", OLCI))
        for collection in SCENES
        for i in catalogue.items(collection, week)
    }

    def count(step: Step, products: Iterable[str]) -> None:
        for product in set(products):
            tile = counts.setdefault(place.get(product, OLCI), {})
            tile[step] = tile.get(step, 0) + 1

    count("found", place)
    count("registered", place)
    count("masked", (i.product for c in (MASKS, OLCI_GRID) for i in _named(catalogue, c, week, place)))
    tiled = {u.product for u in updates if u.product in place}
    count("tiled", tiled)
    mapped = {item_id for m in catalogue.current(MAPS, week) for _, item_id in m.derived_from}
    count("mapped", (u.product for u in updates if u.id in mapped))
    return counts


def _named(catalogue: Catalogue, collection: str, week: str, place: Mapping[str, str]) -> list[Item]:
    return [i for i in catalogue.items(collection, week) if i.product in place]


def data_weeks(catalogue: Catalogue) -> list[str]:
    """Return the weeks that hold a cube update, ascending; nothing is read."""
    return [w for w in catalogue.weeks(UPDATES) if w != STATIC]


def remapped_weeks(catalogue: Catalogue) -> list[str]:
    """Return the newest weeks with data, as many as a new model maps again, ascending; nothing is read."""
    weeks = data_weeks(catalogue)
    return weeks[max(0, len(weeks) - catalogue.area.remap) :]
