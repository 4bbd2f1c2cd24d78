"""Where the models of a week's maps apply, over the mosaic: computed of the cube, whether the maps carry it or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from landstream.export.mosaic import Mosaic
from services.inference.applicability import MsiCube, map_dissimilarity
from services.inference.current_map import APPLICABILITY
from services.inference.item import extent_of
from shared.geo import TILE_10M_PX
from shared.items.catalogue import Catalogue
from shared.items.collections import MODELS
from shared.items.item import Item
from shared.items.model_inputs import ModelInputs, inputs_of_model
from shared.items.properties import MapFacts
from shared.items.stac import asset_key
from shared.raster.applicability import (
    CELL_PX,
    DISSIMILARITY_NODATA,
    Applicability,
    BadApplicability,
    read_applicability,
)
from shared.raster.cog import Strip
from shared.raster.grid import Window
from shared.store import Store

Array = NDArray[Any]


class Applies(NamedTuple):
    """Where a model applies.

    Attributes:
        area: its area of applicability.
        inputs: what it reads: each pixel is told by the newest of its weeks.
    """

    area: Applicability
    inputs: ModelInputs


class LayerCube(MsiCube, Protocol):
    """What the layer reads of a cube."""

    def observed(self, week: str) -> Array:
        """Tiles with data: bool (tile row, tile col)."""


class NotKnown(ValueError):
    """Raised when a model does not know where it applies; one line says why."""


def applicability_of(catalogue: Catalogue, maps: Sequence[Item], store: Store) -> dict[str, Applies]:
    """Return where each model applies that some maps name, by its id.

    Raises:
        NotKnown: one of them has none.
    """
    found = {}
    for name in sorted({MapFacts.of(item).model for item in maps}):
        model = catalogue.find(MODELS, name)
        if model is None or APPLICABILITY not in model.assets:
            raise NotKnown(
                f"{name}: does not know where it applies, as it was imported, or trained by an older version; "
                "export without --applicability"
            )
        try:
            area = read_applicability(store.get(asset_key(model, APPLICABILITY)))
        except BadApplicability as error:
            raise NotKnown(f"{name}: {error}; export without --applicability") from error
        found[name] = Applies(area, inputs_of_model(model))
    return found


def dissimilarity_strips(
    mosaic: Mosaic, maps: Sequence[Item], cube: LayerCube, known: Mapping[str, Applies]
) -> Iterator[Strip]:
    """Yield the dissimilarity index of a week, put together and clipped, on the 10 m pixels of the other rasters.

    Args:
        mosaic: the area's.
        maps: one for each sheet, of one week.
        cube: where values are read.
        known: id of a model -> where it applies.

    Yields:
        Strips of uint8, percent of the threshold, as of `map_dissimilarity`; 255 outside the AOI, too.
    """
    told = [MapFacts.of(item) for item in maps]
    weeks = {model: applies.inputs.weeks_of(maps[0].week) for model, applies in known.items()}
    observed = {m: np.any([cube.observed(week) for week in of], axis=0) for m, of in weeks.items()}
    sheets = [(extent_of(facts.sheet, mosaic.area.grid), facts.model) for facts in told]
    for strip in mosaic.strips():
        values = np.full((strip.ny, strip.nx), DISSIMILARITY_NODATA, np.uint8)
        top, left = mosaic.extent.y + strip.y, mosaic.extent.x + strip.x
        for sheet, model in sheets:
            y0, y1 = max(top, sheet.y), min(top + strip.ny, sheet.y + sheet.ny)
            x0, x1 = max(left, sheet.x), min(left + strip.nx, sheet.x + sheet.nx)
            if y0 < y1 and x0 < x1:
                tiles = _whole_tiles(y0, x0, y1, x1)
                layer = map_dissimilarity(cube, weeks[model], tiles, observed[model], known[model].area)
                pixels = layer.repeat(CELL_PX, axis=0).repeat(CELL_PX, axis=1)
                part = pixels[y0 - tiles.y : y1 - tiles.y, x0 - tiles.x : x1 - tiles.x]
                values[y0 - top : y1 - top, x0 - left : x1 - left] = part
        values[~mosaic.inside(strip)] = DISSIMILARITY_NODATA
        yield Strip(values, strip.y)


def _whole_tiles(y0: int, x0: int, y1: int, x1: int) -> Window:
    """Snap a rectangle of 10 m pixels of the grid outwards to tiles."""
    y, x = y0 // TILE_10M_PX * TILE_10M_PX, x0 // TILE_10M_PX * TILE_10M_PX
    return Window(y, x, -(-y1 // TILE_10M_PX) * TILE_10M_PX - y, -(-x1 // TILE_10M_PX) * TILE_10M_PX - x)
