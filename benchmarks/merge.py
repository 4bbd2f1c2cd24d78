"""The tiler's merge of a full-size scene into an empty week against the decoding of its bands alone.

Decoding is the floor: nothing that reads a Sentinel-2 product is faster. The scene (smooth land, detector noise,
ESA's code-stream tiles) is made once and kept. `LANDSTREAM_BENCH_SIZE` and `_EPSG` give a smaller one, or an area in
another UTM zone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
import zarr
from pyproj import Transformer
from scipy.ndimage import gaussian_filter

from benchmarks.race import Budget, Peer, Race, main
from services.cloudmask.item import BANDS
from services.cloudmask.mask import classify_scl, dilate_clear
from services.tiler.merge_laws import U16
from services.tiler.merge_msi import SENTINEL_2
from services.tiler.scene import Scene
from services.tiler.update import Tiles, rebuild_then_merge
from shared.area import Area
from shared.cube import Cube, open_cube
from shared.cube.layout import COMPRESSOR
from shared.geo import TILE_10M_PX, TILE_20M_PX
from shared.items.item import Item
from shared.items.properties import SceneFacts
from shared.raster.cog import Encoding, Strip, write_cog
from shared.raster.grid import Lattice, Window
from shared.sensors import msi_assets
from shared.stage import LocalItem
from simulator.jp2 import write_jp2

ROOT: Final = Path(__file__).parents[1]
SIZE: Final = int(os.environ.get("LANDSTREAM_BENCH_SIZE", "10980"))
"""Side in 10 m pixels, a multiple of 6."""
EPSG: Final = int(os.environ.get("LANDSTREAM_BENCH_EPSG", "32634"))
"""Of the area; 32634 is the scene's own."""
TILES: Final = -(-SIZE // TILE_10M_PX)
WEEK: Final = 25
RED: Final = 2
X, Y = 600_000, 5_100_000
PRODUCT = "S2A_MSIL2A_20180626T092031_N0500_R093_T34TGR_20180626T120000"


def races(folder: Path) -> Iterator[Race | Budget]:
    """Yield the races of the merge."""
    mask, scene = make_scene(folder, SIZE)
    area = area_over(EPSG, TILES)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        yield Race(
            "cube: a full scene, 12 bands, into an empty week",
            lambda: merge(Path(scratch) / "cube", area, mask, scene),
            [
                Peer("rasterio, decoding alone", lambda: decode(scene), 1 / 1.05, _is_like_bands, "rasterio"),
                Peer(
                    "rasterio + z[...] =, the same codec",
                    lambda: decode_and_write(scene, Path(scratch) / "plain"),
                    1.08,
                    _is_like_arrays,
                    "zarr",
                ),
            ],
        )
        yield Budget(
            "cube: memory of the same above the interpreter's", 400, "MB", lambda: _peak_mb(folder, Path(scratch))
        )


def merge(path: Path, area: Area, mask: LocalItem, scene: LocalItem) -> Cube:
    """Merge a scene into a new cube."""
    shutil.rmtree(path, ignore_errors=True)
    cube = open_cube(str(path), area, "write")
    candidate = Scene(area.grid, "l2a", 2, mask, scene)

    def change(group: zarr.Group, again: Tiles | None) -> None:
        now = datetime.now(UTC)
        rebuild_then_merge(SENTINEL_2, group, WEEK, candidate, others={}, outdated=[], again=again, now=now)

    cube.write_year(2018, change, "benchmark")
    assert candidate.touched()
    return open_cube(str(path), area, "read")


def decode(scene: LocalItem) -> U16:
    """Decode all bands, one after the other with two threads; return one."""
    with rasterio.Env(GDAL_NUM_THREADS="2"):
        for name in msi_assets("l2a"):
            with rasterio.open(scene.paths[name], driver="JP2OpenJPEG") as file:
                values: U16 = file.read(1)
            if name == "B04_10m":
                red = values
    return red


def decode_and_write(scene: LocalItem, path: Path) -> dict[str, Any]:
    """Decode all bands, and write them as the arrays of a cube of the scene's own lattice."""
    shutil.rmtree(path, ignore_errors=True)
    arrays = {}
    with rasterio.Env(GDAL_NUM_THREADS="2"):
        for resolution, pixel_m, chunk_px in (
            ("10m", 10, TILE_10M_PX),
            ("20m", 20, TILE_20M_PX),
            ("60m", 60, TILE_20M_PX),
        ):
            names = [name for name in msi_assets("l2a") if name.endswith(resolution)]
            side = SIZE * 10 // pixel_m
            stack = np.empty((side, side, len(names)), np.uint16)
            for n, name in enumerate(names):
                with rasterio.open(scene.paths[name], driver="JP2OpenJPEG") as file:
                    stack[..., n] = file.read(1)
            arrays[resolution] = zarr.create_array(
                path / resolution,
                shape=(53, *stack.shape),
                chunks=(1, chunk_px, chunk_px, len(names)),
                dtype="uint16",
                compressors=COMPRESSOR,
            )
            arrays[resolution][WEEK] = stack
    return arrays


def _is_like_bands(cube: Cube, red: U16) -> bool:
    """Return whether the cube's red band is the scene's where it is clear: at its offset the cube stores DN."""
    stored = cube.fine("2018-W26", Window(0, 0, *red.shape))[..., RED]
    there = stored > 0
    return bool(0.3 < there.mean() < 0.9 and np.array_equal(stored[there], red[there]))


def _is_like_arrays(cube: Cube, arrays: Mapping[str, Any]) -> bool:
    return _is_like_bands(cube, arrays["10m"][WEEK][..., RED])


def _peak_mb(folder: Path, scratch: Path) -> tuple[float, bool]:
    """Merge in a process of its own; return its peak above what its imports took, and whether a cube came of it."""
    program = (
        "import sys; from pathlib import Path; from benchmarks import merge; from benchmarks.race import rss_mb, Peak\n"
        "mask, scene = merge.make_scene(Path(sys.argv[1]), merge.SIZE); begun = rss_mb('VmRSS')\n"
        "with Peak() as peak: merge.merge(Path(sys.argv[2]), merge.area_over(merge.EPSG, merge.TILES), mask, scene)\n"
        "print(peak.mb - begun)"
    )
    command = [sys.executable, "-c", program, str(folder), str(scratch / "alone")]
    said = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    return float(said), (scratch / "alone").is_dir()


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
    field = gaussian_filter(np.random.default_rng(1).standard_normal((size // 6, size // 6), np.float32), 12)
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
    main(races, __doc__)
