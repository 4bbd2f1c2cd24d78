"""Reprojection: one OLCI EFR frame to the lattice."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import NDArray

from services.reprojection.flags import FlagTable, has
from services.reprojection.gather import NO_FLAGS, gather_flags, gather_radiance, interpolate_ties
from services.reprojection.item import make_item
from services.reprojection.lattice import lattice_of, unwrap, window_over
from services.reprojection.nearest import nearest_source
from services.reprojection.read_frame import Radiance, read_flags, read_positions, read_radiance, read_view_zenith
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
    latitude[has(flags, table.mask("duplicated"))] = np.nan
    window = _window(latitude, longitude, task.area)
    index = nearest_source(latitude, longitude, window)
    shape = latitude.shape
    del latitude, longitude
    words = gather_flags(flags, index)
    del flags

    lattice, line = lattice_of(window), attribution([str(frame.item.properties["datetime"])[:4]])
    meanings = {
        "flag_masks": json.dumps(list(table.masks.values())),
        "flag_meanings": " ".join(table.masks),
    }
    paths = {name: task.folder / f"{name}.tif" for name in ("radiance", "view_zenith", "flags")}
    write = partial(write_cog, title=f"OLCI frame {frame.item.product}", attribution=line)
    bands = [Band(name) for name in OLCI_RADIANCES]
    write(paths["radiance"], lattice, bands, _radiances(frame, shape, table, index, words, task), MEASURED)
    zenith = interpolate_ties(ties, index, shape[1])
    write(paths["view_zenith"], lattice, [Band("view_zenith", "degree")], [Strip(zenith)], MEASURED)
    write(paths["flags"], lattice, [Band("quality_flags")], [Strip(words)], WORDS, tags=meanings)
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
    frame: LocalItem,
    shape: tuple[int, ...],
    table: FlagTable,
    index: NDArray[np.int32],
    words: NDArray[np.uint32],
    task: Task[Settings],
) -> Iterator[Strip]:
    def read(band: int) -> Radiance:
        return read_radiance(frame.paths[OLCI_RADIANCES[band - 1]], band, shape)

    last = len(OLCI_RADIANCES)
    with ThreadPoolExecutor(1) as ahead:  # one, as HDF5 reads one file at a time
        following = ahead.submit(read, 1)
        for band in range(1, last + 1):
            radiance = following.result()
            if band < last:
                following = ahead.submit(read, band + 1)
            yield Strip(gather_radiance(radiance, index, words, table.unusable(band)), band=band, unit=radiance.unit)
            task.progress(band, last + 1)
