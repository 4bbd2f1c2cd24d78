"""Reprojection: one OLCI EFR frame to the lattice."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from services.reprojection.flags import FlagTable, has
from services.reprojection.gather import NO_FLAGS, gather, interpolate_ties
from services.reprojection.item import make_item
from services.reprojection.lattice import lattice_of, unwrap, window_over
from services.reprojection.nearest import nearest_source
from services.reprojection.read_frame import read_flags, read_positions, read_radiance, read_view_zenith
from shared.area import Area
from shared.items.properties import FrameFacts
from shared.items.stac import attribution
from shared.raster.cog import NOISY, Band, Encoding, Strip, write_cog
from shared.raster.grid import Window
from shared.sensors import OLCI_RADIANCES
from shared.stage import LocalItem, NewItem, RejectScene, Settings, Task

MAX_CELLS = 120_000_000
"""A frame at 70 degrees north covers 60 million cells; a larger box, around a pole, is cut to the AOI."""
_MARGIN_DEG = 0.05
MEASURED = Encoding("float32", math.nan, "nearest", block_px=256, options=NOISY)
WORDS = Encoding("uint32", NO_FLAGS, "nearest", block_px=256, options=NOISY)


def process(task: Task[Settings]) -> NewItem:
    """Reproject one frame.

    Raises:
        RejectScene: reduced resolution, or without a position over the lattice.
        BrokenPicture: damaged.
    """
    frame = task.inputs[0]
    facts = FrameFacts.of(frame.item)
    if facts.product_type != "EFR":
        fault = f"is a reduced-resolution product ({facts.product_type}); the cube takes full resolution"
        raise RejectScene(frame.item.product, fault, "deliver the EFR product of this orbit")
    latitude, longitude = read_positions(frame.paths["geo_coordinates"])
    flags, table = read_flags(frame.paths["qualityFlags"], latitude.shape)
    ties = read_view_zenith(frame.paths["tie_geometries"], latitude.shape)
    west, _, east, _ = task.area.polygon.bounds
    longitude = unwrap(longitude, (west + east) / 2)
    # A duplicated pixel is a copy laid where its original is not; the original is at hand.
    candidate = np.isfinite(latitude) & ~has(flags, table.mask("duplicated"))
    window = _window(latitude[candidate], longitude[candidate], task.area)
    index = nearest_source(latitude, longitude, candidate, window)
    columns = latitude.shape[1]
    del latitude, longitude, candidate

    lattice, line = lattice_of(window), attribution([str(frame.item.properties["datetime"])[:4]])
    meanings = {
        "flag_masks": json.dumps(list(table.masks.values())),
        "flag_meanings": " ".join(table.masks),
    }
    paths = {name: task.folder / f"{name}.tif" for name in ("radiance", "view_zenith", "flags")}
    write = partial(write_cog, title=f"OLCI frame {frame.item.product}", attribution=line)
    bands = [Band(name) for name in OLCI_RADIANCES]
    write(paths["radiance"], lattice, bands, _radiances(frame, flags, table, index, task), MEASURED)
    zenith = interpolate_ties(ties.values, index, columns, ties.across, ties.along)
    write(paths["view_zenith"], lattice, [Band("view_zenith", "degree")], [Strip(zenith)], MEASURED)
    words = Strip(gather(flags, index, NO_FLAGS))
    write(paths["flags"], lattice, [Band("quality_flags")], [words], WORDS, tags=meanings)
    return make_item(frame, lattice, table, line, paths, task.folder)


def _window(latitude: NDArray[np.float64], longitude: NDArray[np.float64], area: Area) -> Window:
    window = window_over(latitude, longitude)
    if window is not None and window.ny * window.nx > MAX_CELLS:
        west, south, east, north = area.polygon.bounds
        beside_deg = _MARGIN_DEG / math.cos(math.radians(max(abs(south), abs(north))))
        around = (west - beside_deg, south - _MARGIN_DEG, east + beside_deg, north + _MARGIN_DEG)
        window = window_over(latitude, longitude, around)
    if window is None or window.ny * window.nx > MAX_CELLS:
        raise RejectScene("geo_coordinates.nc", "holds no usable position over the area", "deliver the product again")
    return window


def _radiances(
    frame: LocalItem, flags: NDArray[np.uint32], table: FlagTable, index: NDArray[np.int32], task: Task[Settings]
) -> Iterator[Strip]:
    for band, name in enumerate(OLCI_RADIANCES, start=1):
        radiance, unit = read_radiance(frame.paths[name], band, flags, table)
        yield Strip(gather(radiance, index, math.nan), band=band, unit=unit)
        task.progress(band, len(OLCI_RADIANCES) + 1)
