"""What the maps of a week amount to: hectares of each class inside the AOI, over all sheets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shapely.geometry import box

from shared.area import Area
from shared.geo.outline import project_polygon
from shared.items.item import Item
from shared.items.properties import MapFacts

M2_PER_HA = 10_000
HA_PER_KM2 = 100


@dataclass(frozen=True)
class ClassTotal:
    """One class, over all sheets of a week or on one of them.

    Attributes:
        value: of the rasters; 0 = not observed.
        code: the scheme's own code; stands for a name that a picture's font cannot write.
        name: for people.
        ha: hectares inside the AOI.
    """

    value: int
    code: str
    name: str
    ha: float


@dataclass(frozen=True)
class WeekTotals:
    """What the maps of one week show inside the AOI.

    Attributes:
        sheets: how many maps were added up.
        left_out: maps of version 1, which counted whole sheets instead of the AOI.
        aoi_ha: hectares of the whole AOI, mapped or not.
        observed_ha: hectares observed clear.
        classes: ascending by value; those of the scheme that occur nowhere, too.
    """

    sheets: int
    left_out: int
    aoi_ha: float
    observed_ha: float
    classes: tuple[ClassTotal, ...]

    @property
    def observed_percent(self) -> float:
        """Share of the whole AOI that was observed clear, in percent."""
        return round(100 * self.observed_ha / self.aoi_ha, 3) if self.aoi_ha else 0.0


def week_totals(maps: Iterable[Item], aoi_ha: float) -> WeekTotals:
    """Add up the maps of a week.

    Args:
        maps: the current maps, one for each sheet.
        aoi_ha: hectares of the AOI, see `aoi_hectares`.
    """
    said_by_all = [MapFacts.of(item) for item in maps]
    facts = [fact for fact in said_by_all if fact.observed_ha is not None]
    names: dict[int, tuple[str, str]] = {}
    areas_ha: dict[int, float] = {}
    for fact in facts:
        for text, said in fact.classes.items():
            value = int(text)
            names[value] = str(said["code"]), str(said["name"])
            areas_ha[value] = areas_ha.get(value, 0.0) + float(said["area_km2"]) * HA_PER_KM2
    return WeekTotals(
        sheets=len(facts),
        left_out=len(said_by_all) - len(facts),
        aoi_ha=aoi_ha,
        observed_ha=round(sum(fact.observed_ha or 0.0 for fact in facts), 2),
        classes=tuple(ClassTotal(v, *names[v], round(areas_ha[v], 2)) for v in sorted(names)),
    )


def aoi_hectares(area: Area) -> float:
    """Return the hectares of an AOI on its grid, where the grid covers it."""
    covered = project_polygon(area.polygon, area.grid.crs).intersection(box(*area.grid.bounds_m))
    return round(float(covered.area) / M2_PER_HA, 2)
