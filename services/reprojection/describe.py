"""Describes a frame on the lattice as a STAC item."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from services.reprojection.flags import FlagTable
from services.reprojection.gather import NO_FLAGS
from services.reprojection.lattice import Window
from services.reprojection.stage import KEPT
from shared.sensors import OLCI_RADIANCES
from shared.stage import LocalItem, NewAsset, NewItem

_COG = "image/tiff; application=geotiff; profile=cloud-optimized"
_COPIED = (
    *("datetime", "platform", "constellation", "instruments", "sat:relative_orbit", "sat:orbit_state"),
    *(f"landstream:{n}" for n in ("scene", "product", "product_version", "product_type", "timeliness", "baseline")),
)
_EXTENSIONS = tuple(
    f"https://stac-extensions.github.io/{name}/schema.json" for name in ("projection/v2.0.0", "sat/v1.0.0")
)


def grid_item(
    frame: LocalItem, window: Window, table: FlagTable, attribution: str, paths: Mapping[str, Path], folder: Path
) -> NewItem:
    """The item of a frame on the lattice.

    Args:
        frame: the delivered frame.
        window: where on the lattice.
        table: the frame's flags.
        attribution: the line that the item carries.
        paths: asset name -> raster.
        folder: the task's folder.
    """
    p = frame.item.properties
    grid = {
        "proj:code": "EPSG:4326",
        "proj:shape": [window.rows, window.cols],
        "proj:transform": list(window.transform),
    }
    words = {"flag_masks": list(table.masks.values()), "flag_meanings": " ".join(table.masks)}
    assets = {
        "radiance": NewAsset(
            paths["radiance"],
            _COG,
            ("data", "radiance"),
            "Top-of-atmosphere radiance of 21 bands",
            grid | {"bands": [{"name": n, "data_type": "float32", "unit": "mW.m-2.sr-1.nm-1"} for n in OLCI_RADIANCES]},
        ),
        "view_zenith": NewAsset(
            paths["view_zenith"],
            _COG,
            ("data",),
            "View zenith angle",
            grid | {"data_type": "float32", "unit": "degree"},
        ),
        "flags": NewAsset(
            paths["flags"],
            _COG,
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
        assets[name] = NewAsset(target, "application/x-netcdf", ("metadata",), f"{name} as delivered")
    west, south, east, north = frame.item.json["bbox"]
    return NewItem(
        geometry=frame.item.json["geometry"],
        bbox=(west, south, east, north),
        properties={name: p[name] for name in _COPIED if name in p}
        | {"proj:code": "EPSG:4326", "landstream:attribution": attribution},
        assets=assets,
        extensions=_EXTENSIONS,
    )
