"""What the quicklook of a map shows and says."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from services.inference.applicability import OUTSIDE
from services.inference.quicklook import Picture, spell_ha, thinning_of
from shared.area import Area
from shared.geo.outline import project_polygon
from shared.items.classes import NOT_OBSERVED
from shared.items.properties import MapFacts
from shared.items.sheets import SHEET_TILES
from shared.items.totals import HA_PER_KM2, ClassTotal
from shared.items.weeks import spell_week
from shared.raster.grid import Lattice
from shared.raster.render import thin_by_mode

Array = npt.NDArray[Any]


def picture_of(
    area: Area,
    week: str,
    facts: MapFacts,
    lattice: Lattice,
    values: Array,
    true_colour: Array,
    applies: Array | None = None,
) -> Picture:
    """Put a map's picture together.

    Args:
        area: its name, AOI and classes.
        week: `2018-W23`.
        facts: what the map's item says.
        lattice: of the map.
        values: uint8 (ny, nx), 0 = not observed.
        true_colour: uint8 (y, x, 3) of the same extent, thinned by `thinning_of`.
        applies: uint8 (ny, nx), as of `split_by_applicability`; None = the map does not say where its model applies.
    """
    step = thinning_of(lattice.shape)
    thin = thin_by_mode(values, step)
    return Picture(
        title=f"Land cover of {area.name}",
        lines=(_when(area, week, facts), _how_much(facts)),
        land_cover=thin,
        true_colour=true_colour,
        colors={value: c.color for value, c in area.labels.values.items()},
        lattice=Lattice(lattice.crs, lattice.x, lattice.y, lattice.pixel * step, (thin.shape[0], thin.shape[1])),
        aoi=project_polygon(area.polygon, lattice.crs),
        legend=_legend(facts, set(np.unique(thin).tolist())),
        attribution=facts.attribution,
        outside=None if applies is None else (thin_by_mode(applies, step) == OUTSIDE) & (thin > 0),
        applies="" if applies is None else _where_it_applies(facts),
    )


def _when(area: Area, week: str, facts: MapFacts) -> str:
    text = f"{spell_week(week)} (week {week})"
    whole = max(area.grid.rows, area.grid.cols) <= SHEET_TILES
    return text if whole else f"{text}, sheet {facts.sheet[0]}, {facts.sheet[1]}"


def _how_much(facts: MapFacts) -> str:
    if not facts.aoi_ha:
        return "none of the area of interest lies in this sheet"
    return (
        f"{facts.observed_percent:.1f} % of the area of interest observed clear: "
        f"{spell_ha(facts.observed_ha or 0.0)} of {spell_ha(facts.aoi_ha)}"
    )


def _where_it_applies(facts: MapFacts) -> str:
    text = "outside the model's area of applicability, as it is unlike the ground that it learned from"
    if not facts.observed_ha:
        return text
    return f"{text}: {100 - (facts.applicable_percent or 0.0):.1f} % of what is mapped in the area of interest"


def _legend(facts: MapFacts, shown: set[int]) -> list[ClassTotal]:
    entries = [
        ClassTotal(int(value), str(said["code"]), str(said["name"]), said["area_km2"] * HA_PER_KM2)
        for value, said in facts.classes.items()
        if said["pixels"] or int(value) in shown
    ]
    unseen_ha = (facts.aoi_ha or 0.0) - (facts.observed_ha or 0.0)
    if unseen_ha > 0 or 0 in shown:
        entries.append(ClassTotal(0, "", NOT_OBSERVED, unseen_ha))
    return entries
