"""What a store has come to: the champion with its scores, and the newest map. `run`, `status` and the demo tell it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from services.inference.current_map import sheet_of_json
from shared.items.catalogue import Catalogue
from shared.items.champion import champion
from shared.items.claim import claim
from shared.items.collections import MAPS
from shared.items.item import Item
from shared.items.sheets import Sheet
from shared.items.stac import asset_key
from shared.items.totals import WeekTotals, aoi_hectares, week_totals
from shared.items.weeks import STATIC
from shared.store import Store

NAMED_CLASSES: Final = 6
"""How many classes are named, largest first; `status --json` tells all."""


@dataclass(frozen=True)
class ModelResult:
    """The champion.

    Attributes:
        id: of its item.
        card: path or URL of its card; empty where it has none.
        split: what the scores are of: blocks that no training sees, or polygons in them of which none was seen.
        pixels: how many pixels of the split were scored.
        accuracy: share of them that were right, 0 to 1; None where it was not scored.
        miou: mean intersection over union of the classes, 0 to 1; None where it was not scored.
        majority_accuracy: what always naming the commonest class would reach, 0 to 1.
    """

    id: str
    card: str
    split: str
    pixels: int
    accuracy: float | None
    miou: float | None
    majority_accuracy: float | None


@dataclass(frozen=True)
class MapResult:
    """A land-cover map.

    Attributes:
        week: `2018-W23`.
        sheet: its name, `r00c00`.
        observed_percent: share of the sheet that was observed clear.
        path: path or URL of its GeoTIFF.
        quicklook: path or URL of its picture.
        applicable_percent: share of what is mapped that lies in its model's area of applicability; None = not told.
    """

    week: str
    sheet: str
    observed_percent: float
    path: str
    quicklook: str
    applicable_percent: float | None = None


@dataclass(frozen=True)
class Result:
    """What a store has come to.

    Attributes:
        model: the champion; None before the first promotion.
        map: of the newest week with a current map, the sheet that sees most; None before the first map.
        week: hectares inside the AOI over all sheets of that week; None before the first map.
    """

    model: ModelResult | None
    map: MapResult | None
    week: WeekTotals | None

    def json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


def result_of(store: Store, catalogue: Catalogue) -> Result:
    """Return what a store has come to; of the weeks that hold maps, the newest alone is read.

    Args:
        store: where the files lie.
        catalogue: its items.
    """
    model, maps = champion(catalogue), _newest_maps(catalogue)
    return Result(
        model=_model_result(store, model) if model else None,
        map=map_result(store, max(maps, key=lambda m: (_observed(m), m.id))) if maps else None,
        week=week_totals(maps, aoi_hectares(catalogue.area)) if maps else None,
    )


def place_of(store: Store, item: Item, asset: str) -> str:
    """Return where an asset can be opened: an absolute path, or `s3://BUCKET/KEY`; empty where there is none."""
    return f"{store.location}/{asset_key(item, asset)}" if asset in item.assets else ""


def sheet_name(sheet: Sheet) -> str:
    """Return what people call a sheet: `r00c00`."""
    return f"r{sheet[0]:02d}c{sheet[1]:02d}"


def map_result(store: Store, item: Item) -> MapResult:
    """Return what there is to say of a map."""
    return MapResult(
        week=item.week,
        sheet=sheet_name(sheet_of_json(item.properties["landstream:sheet"])),
        observed_percent=_observed(item),
        path=place_of(store, item, "land_cover"),
        quicklook=place_of(store, item, "quicklook"),
        applicable_percent=item.properties.get("landstream:applicable_percent"),
    )


def _model_result(store: Store, item: Item) -> ModelResult:
    split, metrics = claim(item.properties.get("landstream:metrics", {}))
    return ModelResult(
        id=item.id,
        card=place_of(store, item, "card"),
        split=split,
        pixels=int(metrics.get("pixels", 0)),
        accuracy=metrics.get("accuracy"),
        miou=metrics.get("miou"),
        majority_accuracy=metrics.get("majority_accuracy"),
    )


def _newest_maps(catalogue: Catalogue) -> list[Item]:
    """Return the current maps of the newest week that has some; empty before the first map."""
    for week in reversed(catalogue.weeks(MAPS)):
        current = catalogue.current(MAPS, week) if week != STATIC else []
        if current:
            return current
        catalogue.let_go(week)
    return []


def _observed(item: Item) -> float:
    return float(item.properties.get("landstream:observed_percent", 0.0))


def lines(result: Result) -> list[str]:
    """Return the result for people, each fact on a line of its own; nothing where there is neither model nor map."""
    found = [*_model_lines(result.model)] if result.model else []
    if result.map:
        found += [*(_week_lines(result.week) if result.week else ()), *_map_lines(result.map)]
    return [f"{name:<12}{text}" for name, text in found]


def _model_lines(model: ModelResult) -> list[tuple[str, str]]:
    found = [("model", model.id)]
    if model.card:
        found.append(("model card", model.card))
    if model.accuracy is not None:
        beside = "" if model.majority_accuracy is None else f"; the commonest class alone {model.majority_accuracy:.3f}"
        found.append(("accuracy", f"{model.accuracy:.3f} on the {model.split} ({model.pixels:,} pixels{beside})"))
    if model.miou is not None:
        found.append(("mIoU", f"{model.miou:.3f} on the {model.split}"))
    return found


def _week_lines(week: WeekTotals) -> list[tuple[str, str]]:
    """Return hectares inside the AOI; nothing where the maps are of a version that did not count them."""
    if not week.sheets:
        return []
    sheets = f"{week.sheets} sheet{'s' if week.sheets > 1 else ''}"
    if week.left_out:
        sheets += f", {week.left_out} of an older version left out"
    seen = f"{week.observed_ha:,.0f} of {week.aoi_ha:,.0f} ha of the AOI observed, on {sheets}"
    largest = sorted((c for c in week.classes if c.value and c.ha > 0), key=lambda c: -c.ha)
    named = [f"{c.name} {c.ha:,.0f} ha" for c in largest[:NAMED_CLASSES]]
    if rest := largest[NAMED_CLASSES:]:
        named.append(f"{len(rest)} more {sum(c.ha for c in rest):,.0f} ha")
    return [("area", seen), *([("land cover", ", ".join(named))] if named else [])]


def _map_lines(newest: MapResult) -> list[tuple[str, str]]:
    share = newest.applicable_percent
    return [
        ("observed", f"{newest.observed_percent:.1f} % of sheet {newest.sheet} in {newest.week}"),
        *(
            [("applies", f"to {share:.1f} % of that: the rest is unlike what it learned from")]
            if share is not None
            else []
        ),
        ("quicklook", newest.quicklook),
        ("newest map", newest.path),
    ]
