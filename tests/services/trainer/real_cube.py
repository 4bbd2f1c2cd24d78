"""A real Sentinel-2 crop (Brandenburg, L1C, 16 February 2017) with OpenStreetMap polygons, as a cube of one week."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyogrio.raw
import rasterio
import shapely
from rasterio.features import rasterize

from shared.area import Area
from shared.area.area import parse_area
from tests.services.trainer.fake_cube import FakeCube, cut

FCLASSES = {
    "farm": ("#ffffa8", ["farm"]),
    "forest": ("#00a600", ["forest"]),
    "meadow": ("#ccf24d", ["meadow", "grass"]),
    "residential": ("#ff0000", ["residential"]),
    "scrub": ("#a6f200", ["scrub"]),
    "water": ("#00ccf2", ["water"]),
    "wetland": ("#a6a6ff", ["wetland"]),
}
WEEK = "2017-W07"


def real_area(training: dict[str, Any]) -> Area:
    """The crop's own lattice: 3 x 6 tiles."""
    classes = [{"code": c, "name": c, "color": color, "sources": s} for c, (color, s) in FCLASSES.items()]
    data = {
        "name": "brandenburg",
        "aoi": [12.50, 52.455, 12.71, 52.525],
        "grid": {"epsg": 32633, "origin_x_m": 330000, "origin_y_m": 5822040, "rows": 3, "cols": 6},
        "level": "l1c",
        "labels": {"scheme": "osm", "attribute": "fclass", "classes": classes},
        "label_year": 2017,
        "years": [2017],
        "policy": {"training": training},
    }
    return parse_area(data, "test")


class RealCube(FakeCube):
    """Reads the files once, in the cube's encoding."""

    def __init__(self, area: Area, folder: Path) -> None:
        self.grid, self.scheme, self._weeks = area.grid, area.labels, (WEEK,)

        def read(name: str) -> npt.NDArray[Any]:
            with rasterio.open(
                folder / "IMG_DATA" / f"T33UUU_20170216T102101_{name}.jp2", driver="JP2OpenJPEG"
            ) as image:
                digital: npt.NDArray[Any] = image.read(1).astype(np.int64)
            return digital

        fine = np.stack([read(name) for name in ("B02", "B03", "B04", "B08")], axis=-1)
        coarse = np.stack([read(name) for name in ("B05", "B06", "B07", "B8A", "B11", "B12")], axis=-1)
        ny, nx = coarse.shape[:2]
        seen = (fine.reshape(ny, 2, nx, 2, 4) > 0).all(axis=(1, 3, 4)) & (coarse > 0).all(axis=-1)
        wide = seen.repeat(2, axis=0).repeat(2, axis=1)
        self.msi_10m = {WEEK: ((fine + 1000) * wide[..., None]).astype(np.uint16)}
        self.msi_20m = {WEEK: ((coarse + 1000) * seen[..., None]).astype(np.uint16)}
        meta, _, shapes, fields = pyogrio.raw.read(folder / "osm_landuse_water.gpkg")
        kinds = fields[list(meta["fields"]).index("fclass")]
        polygons = [(shapely.from_wkb(s), area.labels.value_of(kind)) for s, kind in zip(shapes, kinds, strict=True)]
        transform = rasterio.Affine(*area.grid.transform(10))
        self.given = rasterize(polygons, out_shape=fine.shape[:2], transform=transform, fill=0, dtype="uint8")

    def labels(self, y: int, x: int, ny: int, nx: int) -> npt.NDArray[Any]:
        """A window of labels."""
        return cut(self.given, y, x, ny, nx)
