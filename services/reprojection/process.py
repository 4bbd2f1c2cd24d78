"""Reprojection: one OLCI EFR frame to the lattice."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

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
from shared.stage import NewItem, RejectScene, Settings, Task

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
    strips = _reported(radiances(frame.paths, table, shape, index, words), task)
    write(paths["radiance"], lattice, bands, strips, MEASURED)
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


def radiances(
    paths: Mapping[str, Path],
    table: FlagTable,
    shape: tuple[int, ...],
    index: NDArray[np.int32],
    words: NDArray[np.uint32],
) -> Iterator[Strip]:
    """Radiances on the lattice, band by band; while one is used, the next one is read.

    Args:
        paths: name of a band -> its file.
        table: the frame's flags.
        shape: (rows, columns) of the frame.
        index: int32 (y, x), flat indices into the frame; -1 = none.
        words: uint32 (y, x), the flags of the cells.

    Raises:
        BrokenPicture: a file is damaged.
    """

    def read(band: int) -> Radiance:
        return read_radiance(paths[OLCI_RADIANCES[band - 1]], band, shape)

    last = len(OLCI_RADIANCES)
    with ThreadPoolExecutor(1) as ahead:  # one, as HDF5 reads one file at a time
        following = ahead.submit(read, 1)
        for band in range(1, last + 1):
            radiance = following.result()
            if band < last:
                following = ahead.submit(read, band + 1)
            yield Strip(gather_radiance(radiance, index, words, table.unusable(band)), band=band, unit=radiance.unit)


def _reported(strips: Iterator[Strip], task: Task[Settings]) -> Iterator[Strip]:
    for strip in strips:
        yield strip
        task.progress(strip.band, len(OLCI_RADIANCES) + 1)
