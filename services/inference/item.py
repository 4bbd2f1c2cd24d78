"""The STAC item of a map: where it lies, what its values mean, how much of what it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from services.inference.applicability import OUTSIDE
from services.inference.blend import CONFIDENCE_NODATA
from services.inference.current_map import APPLICABILITY
from shared.area import Area, LabelScheme
from shared.geo import TILE_10M_PX, Grid
from shared.geo.outline import bbox, geojson
from shared.items.classes import NOT_OBSERVED, classes_of, classification
from shared.items.collections import UPDATES
from shared.items.properties import MapFacts
from shared.items.sheets import SHEET_TILES
from shared.items.stac import CLASSIFICATION_EXTENSION, COG, PNG, PROJECTION_EXTENSION, XML, attribution
from shared.items.weeks import rfc3339, week_bounds
from shared.raster.applicability import CELL_PX, DISSIMILARITY_NODATA
from shared.raster.grid import Lattice, Window
from shared.stage.declare import Job, NewAsset, NewItem

LAND_COVER, CONFIDENCE, QUICKLOOK = "land_cover.tif", "confidence.tif", "quicklook.png"
DISSIMILARITY = "applicability.tif"
PIXEL_M = 10
PIXEL_HA = PIXEL_M**2 / 10_000
STRIP_PX = 512
"""Rows that are counted at a time: numpy counts in 8 bytes a pixel."""

Array = npt.NDArray[Any]


def extent_of(sheet: tuple[int, int], grid: Grid) -> Window:
    """Return a sheet clipped to the grid, in 10 m pixels."""
    side = SHEET_TILES * TILE_10M_PX
    y, x = sheet[0] * side, sheet[1] * side
    return Window(y, x, min(side, grid.rows * TILE_10M_PX - y), min(side, grid.cols * TILE_10M_PX - x))


def facts_of(
    area: Area, job: Job, model_id: str, values: Array, inside: Array, applies: Array | None = None
) -> MapFacts:
    """Count what a map shows inside the AOI.

    Args:
        area: its classes.
        job: whose result the map is.
        model_id: id of the model's item.
        values: uint8 (ny, nx), 0 = not observed.
        inside: bool (ny, nx): the pixels of the AOI.
        applies: uint8 (ny, nx), as of `split_by_applicability`; None = the map does not say where its model applies.
    """
    counts = count_classes(values, inside, len(area.labels.classes))
    observed, whole = int(counts[1:].sum()), int(counts.sum())
    row, col = job.parameters["sheet"]
    return MapFacts(
        sheet=(row, col),
        ledger=job.parameters["ledger"],
        model=model_id,
        aoi_ha=round(whole * PIXEL_HA, 2),
        observed_ha=round(observed * PIXEL_HA, 2),
        observed_percent=round(100 * observed / whole, 3) if whole else 0.0,
        applicable_percent=None if applies is None else _applicable_percent(applies, inside),
        classes=areas_of(counts, area.labels),
        attribution=attribution({week[:4] for week in _weeks_of(job)}, area.labels.attribution),
    )


def _applicable_percent(applies: Array, inside: Array) -> float:
    """Return the share of what is mapped inside the AOI, in percent; 0 where nothing is."""
    _, within, beyond = count_classes(applies, inside, OUTSIDE).tolist()
    return round(100 * within / (within + beyond), 3) if within else 0.0


def _weeks_of(job: Job) -> set[str]:
    """Return the weeks whose data a map shows."""
    return {job.week, *(source.item.week for source in job.inputs if source.item.collection == UPDATES)}


def make_item(area: Area, job: Job, facts: MapFacts, lattice: Lattice, folder: Path) -> NewItem:
    """Make the item of a map: only what its inputs determine.

    Args:
        area: its grid and classes.
        job: whose result the map is.
        facts: what it shows.
        lattice: of the sheet, clipped to the grid.
        folder: where its files are.
    """
    start, end = week_bounds(job.week)
    properties = {
        "datetime": None,
        "start_datetime": rfc3339(start),
        "end_datetime": rfc3339(end),
        "title": title_of(area, job),
        "gsd": PIXEL_M,
        **lattice.projection,
    }
    outline = lattice.outline()
    return NewItem(
        geometry=geojson(outline),
        bbox=bbox(outline),
        properties=properties | facts.properties(),
        assets={**_assets(folder, area.labels), **_applicability_asset(folder / DISSIMILARITY, lattice)},
        extensions=(CLASSIFICATION_EXTENSION, PROJECTION_EXTENSION),
    )


def title_of(area: Area, job: Job) -> str:
    """Return one line for people, which the item, the rasters and the picture carry."""
    return f"Land cover of {area.name}, {job.week}, sheet {job.parameters['sheet']}"


def _assets(folder: Path, scheme: LabelScheme) -> dict[str, NewAsset]:
    classes = {
        "classification:classes": classification(classes_of(scheme, NOT_OBSERVED)),
        "nodata": 0,
        "data_type": "uint8",
    }
    share = {"nodata": CONFIDENCE_NODATA, "data_type": "uint8", "unit": "%"}
    sidecar = folder / f"{LAND_COVER}.aux.xml"
    return {
        "land_cover": NewAsset(folder / LAND_COVER, COG, ("data",), "Land cover", classes),
        "land_cover_aux": NewAsset(sidecar, XML, ("metadata",), "Names of the classes", beside="land_cover"),
        "confidence": NewAsset(folder / CONFIDENCE, COG, ("data",), "Share of the chosen class", share),
        "quicklook": NewAsset(folder / QUICKLOOK, PNG, ("overview", "thumbnail"), "Land cover, drawn"),
    }


def cells_of(lattice: Lattice) -> Lattice:
    """Return the lattice of the cells of a map's 10 m pixels that the area of applicability is told for."""
    ny, nx = (n // CELL_PX for n in lattice.shape)
    return Lattice(lattice.crs, lattice.x, lattice.y, lattice.pixel * CELL_PX, (ny, nx))


def _applicability_asset(path: Path, lattice: Lattice) -> dict[str, NewAsset]:
    """Return the asset of the layer of the area of applicability; none where the map has no such layer."""
    fields = {
        "nodata": DISSIMILARITY_NODATA,
        "data_type": "uint8",
        "unit": "%",
        "gsd": PIXEL_M * CELL_PX,
        **cells_of(lattice).projection,
    }
    title = "Dissimilarity to what the model learned from: it applies up to 100 %"
    return {APPLICABILITY: NewAsset(path, COG, ("data",), title, fields)} if path.exists() else {}


def count_classes(values: Array, inside: Array, classes: int) -> npt.NDArray[np.int64]:
    """Count the pixels of each value inside the AOI.

    Args:
        values: uint8 (ny, nx), 0 = not observed.
        inside: bool (ny, nx).
        classes: number of classes.

    Returns:
        int64 (classes + 1,), by value.
    """
    counts = np.zeros(classes + 1, np.int64)
    for top in range(0, len(values), STRIP_PX):
        rows = slice(top, top + STRIP_PX)
        counts += np.bincount(values[rows][inside[rows]], minlength=classes + 1)
    return counts


def areas_of(counts: npt.NDArray[np.int64], scheme: LabelScheme) -> dict[str, dict[str, Any]]:
    """Return the pixels (of 10 m) and square kilometres of each class, by value.

    Args:
        counts: as of `count_classes`.
        scheme: names the classes.
    """
    return {
        str(v): {"code": c.code, "name": c.name, "pixels": int(counts[v]), "area_km2": round(int(counts[v]) * 1e-4, 4)}
        for v, c in scheme.values.items()
    }
