"""The STAC item of a frame on the lattice."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from services.reprojection.flags import FlagTable
from services.reprojection.gather import NO_FLAGS
from services.reprojection.stage import KEPT
from shared.items.properties import FrameFacts
from shared.items.stac import COG, NETCDF, PROJECTION_EXTENSION, SAT_EXTENSION
from shared.raster.grid import Lattice
from shared.sensors import OLCI_RADIANCES
from shared.stage import LocalItem, NewAsset, NewItem

_COPIED = ("datetime", "platform", "constellation", "instruments", "sat:relative_orbit", "sat:orbit_state")


def make_item(
    frame: LocalItem, lattice: Lattice, table: FlagTable, attribution: str, paths: Mapping[str, Path], folder: Path
) -> NewItem:
    """Make the item of a frame on the lattice.

    Args:
        frame: the delivered frame.
        lattice: of its rasters.
        table: the frame's flags.
        attribution: the line that the item carries.
        paths: asset name -> raster.
        folder: the task's folder.
    """
    p = frame.item.properties
    grid = lattice.projection
    words = {"flag_masks": list(table.masks.values()), "flag_meanings": " ".join(table.masks)}
    assets = {
        "radiance": NewAsset(
            paths["radiance"],
            COG,
            ("data", "radiance"),
            "Top-of-atmosphere radiance of 21 bands",
            grid | {"bands": [{"name": n, "data_type": "float32", "unit": "mW.m-2.sr-1.nm-1"} for n in OLCI_RADIANCES]},
        ),
        "view_zenith": NewAsset(
            paths["view_zenith"],
            COG,
            ("data",),
            "View zenith angle",
            grid | {"data_type": "float32", "unit": "degree"},
        ),
        "flags": NewAsset(
            paths["flags"],
            COG,
            ("data",),
            "Quality flags of the nearest pixel",
            grid | {"data_type": "uint32", "nodata": NO_FLAGS, **{f"landstream:{k}": v for k, v in words.items()}},
        ),
    }
    for name in KEPT:
        target = folder / f"{name}.nc"
        try:
            os.link(frame.paths[name], target)
        except OSError:  # another disk
            shutil.copyfile(frame.paths[name], target)
        assets[name] = NewAsset(target, NETCDF, ("metadata",), f"{name} as delivered")
    own = replace(FrameFacts.of(frame.item), attribution=attribution, shape=None, bright_percent=None)
    west, south, east, north = frame.item.json["bbox"]
    return NewItem(
        geometry=frame.item.json["geometry"],
        bbox=(west, south, east, north),
        properties={name: p[name] for name in _COPIED if name in p} | {"proj:code": lattice.crs} | own.properties(),
        assets=assets,
        extensions=(PROJECTION_EXTENSION, SAT_EXTENSION),
    )
