"""Which pixels lie inside an AOI, by the pixel-centre rule."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.transform import Affine
from shapely.geometry.base import BaseGeometry

from shared.raster.grid import Lattice


def burn_aoi(aoi: BaseGeometry, lattice: Lattice) -> NDArray[np.bool_]:
    """Burn an AOI on a lattice: a pixel is inside if its centre is.

    What lies where the lattices of two calls touch is inside the same pixels in both: parts may be burned one by one.

    Args:
        aoi: polygon in the lattice's CRS, see `shared.geo.outline.project_polygon`.
        lattice: where the pixels lie.

    Returns:
        bool (y, x).
    """
    west, south, east, north = lattice.bounds
    around = lattice.pixel
    # GDAL looks at every vertex again for every row: an AOI with a detailed outline is cut down first.
    near = shapely.clip_by_rect(aoi, west - around, south - around, east + around, north + around)
    inside = np.zeros(lattice.shape, np.uint8)
    if not near.is_empty:
        rasterize([(near, 1)], out=inside, transform=Affine(*lattice.transform))
    return inside.view(np.bool_)
