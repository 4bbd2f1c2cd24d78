"""Sentinel-2 scenes: grids from their images, which are decoded for that, and what part of the footprint they cover."""

from __future__ import annotations

from pathlib import Path

from shapely.geometry.base import BaseGeometry

from services.ingest.check_image import check_image
from services.ingest.outline import crop
from services.ingest.read_safe import SafeFacts
from services.ingest.refuse import DELIVER_AGAIN
from shared.raster.grid import Lattice
from shared.stage import RejectScene


def read_grids(root: Path, facts: SafeFacts, decode: bool, threads: int) -> dict[str, Lattice]:
    """Open, and decode, each image; all must lie on one grid.

    Returns:
        Asset name -> grid of the image.

    Raises:
        RejectScene: an image is corrupt, or its grid contradicts the metadata or the other images.
    """
    grids: dict[str, Lattice] = {}
    for name, path in facts.images.items():
        dtype = "uint8" if name.startswith("SCL") else "uint16"
        grid = check_image(root / path, path, int(name[-3:-1]), dtype, decode, threads)
        if grid.crs != f"EPSG:{facts.epsg}":
            fault = f"has the CRS {grid.crs}, but tile {facts.mgrs_tile} lies in EPSG:{facts.epsg}"
            raise RejectScene(path, fault, "restore the georeference of the delivered product")
        grids[name] = grid
        first = next(iter(grids.values()))
        # A crop need not end on a 60 m edge: a last partly covered pixel may count or not.
        slack = 60.0
        size = [n * grid.pixel - m * first.pixel for n, m in zip(grid.shape, first.shape, strict=True)]
        same = grid.pixel == first.pixel
        if (grid.x, grid.y) != (first.x, first.y) or any(abs(d) >= (1 if same else slack) for d in size):
            fault = f"has the grid {grid}, which is not that of {next(iter(grids))}: {first}"
            raise RejectScene(path, fault, DELIVER_AGAIN)
    return grids


def crop_footprint(facts: SafeFacts, grids: dict[str, Lattice]) -> BaseGeometry:
    """Cut the footprint to the images.

    Raises:
        RejectScene: they do not touch.
    """
    try:
        return crop(facts.footprint, grids["B02_10m"].outline())
    except ValueError as error:
        raise RejectScene(next(iter(facts.metadata.values())), str(error), DELIVER_AGAIN) from error
