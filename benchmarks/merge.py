"""The tiler's merge of a full-size scene into an empty week against the decoding of its bands alone.

Decoding is the floor: nothing that reads a Sentinel-2 product is faster. The scene (smooth land, detector noise,
ESA's code-stream tiles) is made on the first run; give --folder to keep it.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import rasterio
import zarr
from pyproj import Transformer
from race import race
from scipy.ndimage import gaussian_filter

from services.cloudmask.item import BANDS
from services.cloudmask.mask import classify_scl, dilate_clear
from services.tiler.merge_msi import SENTINEL_2
from services.tiler.scene import Scene
from services.tiler.update import Tiles, rebuild_then_merge
from shared.area import Area
from shared.cube import open_cube
from shared.items.item import Item
from shared.items.properties import SceneFacts
from shared.raster.cog import Encoding, Strip, write_cog
from shared.raster.grid import Lattice
from shared.sensors import msi_assets
from shared.stage import LocalItem
from simulator.jp2 import write_jp2

X, Y = 600_000, 5_100_000
PRODUCT = "S2A_MSIL2A_20180626T092031_N0500_R093_T34TGR_20180626T120000"


def main() -> None:
    """Make the scene, then race."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=10_980, help="side in 10 m pixels, a multiple of 6")
    parser.add_argument("--epsg", type=int, default=32634, help="of the area; 32634 is the scene's own")
    parser.add_argument("--folder", type=Path, help="where the scene is kept")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        mask, scene = make_scene(options.folder or Path(scratch), options.size)
        area = area_over(options.epsg, -(-options.size // 256))
        cube = Path(scratch) / "cube"

        def ours() -> None:
            shutil.rmtree(cube, ignore_errors=True)
            opened = open_cube(str(cube), area, "write")
            candidate = Scene(area.grid, "l2a", 2, mask, scene)

            def change(group: zarr.Group, again: Tiles | None) -> None:
                now = datetime.now(UTC)
                rebuild_then_merge(SENTINEL_2, group, 25, candidate, others={}, outdated=[], again=again, now=now)

            opened.write_year(2018, change, "benchmark")
            assert candidate.touched()

        def peer() -> None:
            with rasterio.Env(GDAL_NUM_THREADS="2"):
                for name in msi_assets("l2a"):
                    with rasterio.open(scene.paths[name], driver="JP2OpenJPEG") as file:
                        file.read(1)

        what = f"merge of a scene of {options.size} px into EPSG:{options.epsg}"
        race(what, ours, {"decoding with rasterio alone": peer}, options.rounds)


def area_over(epsg: int, tiles: int) -> Area:
    """Return an area as large as the scene, in the scene's CRS or around its centre in another."""
    x, y = Transformer.from_crs(32634, epsg, always_xy=True).transform(X + tiles * 1280, Y - tiles * 1280)
    longitude, latitude = Transformer.from_crs(epsg, 4326, always_xy=True).transform(x, y)
    return Area.model_validate(
        {
            "name": "scene",
            "aoi": [longitude - 0.1, latitude - 0.1, longitude + 0.1, latitude + 0.1],
            "grid": {
                "epsg": epsg,
                "origin_x_m": round((x - tiles * 1280) / 60) * 60,
                "origin_y_m": round((y + tiles * 1280) / 60) * 60,
                "rows": tiles,
                "cols": tiles,
            },
            "labels": "clc-level1",
            "label_year": 2018,
            "years": [2018],
        }
    )


def make_scene(folder: Path, size: int) -> tuple[LocalItem, LocalItem]:
    """Return the mask and the bands of a scene; files that are there already are kept."""
    rng = np.random.default_rng(0)
    paths, assets = {}, {}
    for name in msi_assets("l2a"):
        pixel_m = int(name.split("_")[1][:-1])
        side = size * 10 // pixel_m
        paths[name] = folder / f"{name}-{size}.jp2"
        if not paths[name].exists():
            smooth = gaussian_filter(rng.standard_normal((size // 6, size // 6), np.float32), 6) * 4000
            dn = np.kron(smooth, np.ones((60 // pixel_m, 60 // pixel_m), np.float32))
            dn += 2500 + 30 * rng.standard_normal(dn.shape, np.float32)
            write_jp2(paths[name], dn.clip(1, 32767).astype(np.uint16), 32634, X, Y, pixel_m)
        transform = [pixel_m, 0, X, 0, -pixel_m, Y]
        assets[name] = {"proj:code": "EPSG:32634", "proj:shape": [side, side], "proj:transform": transform}
    field = gaussian_filter(rng.standard_normal((size // 6, size // 6), np.float32), 12)
    scl = np.where(field > np.quantile(field, 0.8), np.uint8(9), np.uint8(4)).repeat(3, 0).repeat(3, 1)
    codes = classify_scl(scl, thin_cirrus_is_cloud=True)
    mask = folder / f"mask-{size}.tif"
    lattice = Lattice("EPSG:32634", X, Y, 20, codes.shape)
    strips = (Strip(codes, band=1), Strip(dilate_clear(codes), band=2))
    write_cog(mask, lattice, BANDS, strips, Encoding("uint8", None, "mode"), title="benchmark", attribution="")
    properties = {
        "datetime": "2018-06-26T09:20:31Z",
        "platform": "sentinel-2a",
    } | SceneFacts(
        scene="benchmark",
        product=PRODUCT,
        product_version=(500,),
        attribution="",
        mgrs_tile="T34TGR",
        level="l2a",
        quantification=10000.0,
        offsets={name.split("_")[0]: -1000 for name in paths},
    ).properties()
    json = {
        "id": f"{PRODUCT}--v1-0a1b2c3d", "collection": "benchmark", "links": [], "properties": properties,
        "assets": assets,
    }  # fmt: skip
    item = Item(json, "2018-W26")
    return LocalItem(item, {"mask": mask}), LocalItem(item, paths)


if __name__ == "__main__":
    main()
