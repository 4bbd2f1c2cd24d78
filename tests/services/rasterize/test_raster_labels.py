"""Rasters of classes as labels: each pixel's centre takes what it lies in, whatever the CRS, nodata and type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer
from rasterio.features import rasterize

from services.rasterize.distance import edge_distance
from services.rasterize.patches import PATCH_PX, class_of_patch, number_patches
from services.rasterize.process import process
from services.rasterize.read_raster import read_classes
from services.rasterize.stage import STAGE, plan
from shared.area import Area, load_area
from shared.area.area import parse_area
from shared.area.clc import CLC_GRID_CODES
from shared.area.scheme import preset
from shared.items.item import Item
from shared.items.properties import DeliveryFacts
from shared.raster.grid import Lattice
from shared.stage import LocalItem, NewItem, RejectScene, Task
from tests.catalogues import catalogue_of
from tests.conftest import AREAS

GRID = Lattice("EPSG:32635", 260000.0, 5100000.0, 10.0, (700, 900))
LEVEL_1 = preset("clc-level1").pixel_values()
GRID_CODE = {code: value for value, code in CLC_GRID_CODES.items() if value <= 44}


def write(path: Path, values: np.ndarray, crs: str = "EPSG:3035", nodata: float | None = None, **more: Any) -> Path:
    """A raster of 100 m around the middle of `GRID`, smaller than it."""
    x, y = Transformer.from_crs(GRID.crs, crs, always_xy=True).transform(264500, 5096500)
    side = more.get("side", 100.0)
    ny, nx = values.shape
    corner = rasterio.Affine(side, 0, round(x) + 0.3 - nx / 2 * side, 0, -side, round(y) + 0.7 + ny / 2 * side)
    with rasterio.open(
        path, "w", driver="GTiff", height=ny, width=nx, count=1, dtype=values.dtype, crs=crs, transform=corner,
        nodata=nodata,
    ) as file:  # fmt: skip
        file.write(values, 1)
    return path


def gathered(path: Path, lattice: Lattice) -> np.ndarray:
    """The pixel in which each centre lies, by PROJ alone; -1 outside."""
    with rasterio.open(path) as file:
        values, t, crs = file.read(1).astype(np.int64), file.transform, file.crs.to_wkt()
    ny, nx = lattice.shape
    x, y = np.meshgrid(lattice.x + 10 * (np.arange(nx) + 0.5), lattice.y - 10 * (np.arange(ny) + 0.5))
    sx, sy = Transformer.from_crs(lattice.crs, crs, always_xy=True).transform(x, y)
    col, row = np.floor((sx - t.c) / t.a).astype(int), np.floor((sy - t.f) / t.e).astype(int)
    inside = (col >= 0) & (row >= 0) & (col < values.shape[1]) & (row < values.shape[0])
    return np.where(inside, values[row.clip(0, values.shape[0] - 1), col.clip(0, values.shape[1] - 1)], -1)


def read(path: Path, known: dict[int, int], strip_px: int = 256) -> np.ndarray:
    strips = list(read_classes(path, known, GRID, strip_px))
    assert [top for top, _ in strips] == list(range(0, GRID.shape[0], strip_px))
    return np.concatenate([classes for _, classes in strips])


@pytest.mark.parametrize("crs", ["EPSG:3035", "EPSG:32635", "EPSG:32634", "EPSG:3844"])
def test_each_centre_takes_the_pixel_it_lies_in(crs: str, tmp_path: Path) -> None:
    values = np.random.default_rng(3).choice(np.array([1, 12, 23, 41, 44], np.uint8), (40, 55))
    path = write(tmp_path / "clc.tif", values, crs)
    found = read(path, LEVEL_1)
    expected = np.vectorize({-1: 0, 1: 1, 12: 2, 23: 3, 41: 5, 44: 5}.get)(gathered(path, GRID))
    assert np.array_equal(found, expected)
    assert found.dtype == np.uint8
    assert 0.2 < (found > 0).mean() < 0.5, "the raster lies within the grid"
    assert np.array_equal(found, read(path, LEVEL_1, 33)), "strips do not show"


@pytest.mark.parametrize(
    ("values", "nodata"),
    [
        (np.array([[12, 0], [44, 23]], np.uint8), None),  # Guadeloupe's
        (np.array([[12, 0], [44, 23]], np.uint8), 0),
        (np.array([[12, 255], [44, 23]], np.uint8), 255),
        (np.array([[12, 48], [44, 23]], np.uint8), None),
        (np.array([[12, -128], [44, 23]], np.int8), -128),
        (np.array([[211, 999], [523, 311]], np.int16), -32768),  # codes for grid codes
        (np.array([[12, 999], [44, 23]], np.int32), None),
        (np.array([[211, 0], [523, 311]], np.uint32), 0),
        (np.array([[12, -1], [44, 23]], np.int64), -1),  # NumPy's own type
        (np.array([[211, 0], [523, 311]], np.uint64), None),
    ],
)
def test_what_is_no_class_stays_unlabelled(values: np.ndarray, nodata: int | None, tmp_path: Path) -> None:
    path = write(tmp_path / "clc.tif", values, nodata=nodata, side=1000.0)
    found = read(path, LEVEL_1)
    counts = np.bincount(found.ravel(), minlength=6)
    assert counts[[1, 4]].tolist() == [0, 0]
    assert counts[[2, 3, 5]] == pytest.approx([10_000] * 3, rel=0.02)


def test_a_value_of_no_class_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "own.tif", np.array([[12, 77], [88, 77]], np.uint8), side=1000.0)
    with pytest.raises(RejectScene, match=r"own\.tif: has pixels of 77, 88, unknown to the label scheme"):
        read(path, LEVEL_1, GRID.shape[0])
    hidden = write(tmp_path / "hidden.tif", np.array([[12, 77], [12, 77]], np.uint8), nodata=77, side=1000.0)
    assert set(np.unique(read(hidden, LEVEL_1))) == {0, 2}


def test_a_raster_that_does_not_decode_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "clc.tif", np.full((400, 400), 12, np.uint8))
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(RejectScene, match=r"clc\.tif: is a corrupt GeoTIFF"):
        read(path, LEVEL_1)


@given(st.integers(1, 700), st.integers(0, 600), st.integers(1, 300), st.integers(0, 2**32 - 1))
def test_patches(width: int, top: int, height: int, seed: int) -> None:
    """A number tells the class and the square, of every pixel, in every strip."""
    classes = np.random.default_rng(seed).integers(0, 255, (height, width)).astype(np.uint8)
    numbers = number_patches(classes, top, width)
    assert np.array_equal(class_of_patch(numbers), classes)
    rows, cols = np.nonzero(classes)
    squares = ((top + rows) // PATCH_PX) * -(-width // PATCH_PX) + cols // PATCH_PX
    assert np.array_equal(numbers[rows, cols] >> 8, squares)
    assert not numbers[classes == 0].any()


def delivery(path: Path, label_source: str, year: int = 2018) -> LocalItem:
    facts = DeliveryFacts(
        scene=path.stem, product=path.stem, product_version=(), attribution="", reference_year=year,
        campaign=str(year), release="", label_source=label_source, crs="EPSG:3035",
    )  # fmt: skip
    properties = {"datetime": f"{year}-01-01T00:00:00Z"} | facts.properties()
    json_ = {"id": f"{path.stem}--v1-00000000", "collection": "label-rasters", "properties": properties, "assets": {}}
    return LocalItem(Item(json_, "static"), {"classes": path})


def run(source: LocalItem, area: Area, folder: Path) -> NewItem:
    (job,) = plan(source.item, catalogue_of([source.item], area), area, STAGE.settings())
    folder.mkdir()
    return process(Task(job, (source,), (), None, area, STAGE.settings(), folder))


def test_an_item_of_a_raster(tmp_path: Path) -> None:
    """Own classes by their values of pixels: three rasters as of polygons, patches in place of polygons."""
    classes = [
        {"code": "a", "name": "Water", "color": "#0000ff", "sources": ["80"]},
        {"code": "b", "name": "Land", "color": "#00ff00", "sources": ["10", "30"]},
    ]
    scheme = {"scheme": "own", "source": "raster", "classes": classes, "ignored": ["95"]}
    small = load_area(AREAS / "small.yaml").model_dump(mode="json", by_alias=True)
    area = parse_area(small | {"labels": scheme}, "test")
    x, y = area.grid.origin_x_m, area.grid.origin_y_m
    values = np.random.default_rng(1).choice(np.array([10, 30, 80, 95], np.uint8), (30, 30))
    corner = rasterio.Affine(200, 0, x, 0, -200, y)
    path = tmp_path / "worldcover.tif"
    with rasterio.open(path, "w", "GTiff", 30, 30, 1, dtype="uint8", crs=area.grid.crs, transform=corner) as file:
        file.write(values, 1)
    item = run(delivery(path, "raster"), area, tmp_path / "out")
    rasters = {name: rasterio.open(asset.path).read(1) for name, asset in item.assets.items() if name != "labels_aux"}
    expected = np.zeros(area.grid.shape_px(10), np.uint8)
    of_value = {10: 2, 30: 2, 80: 1, 95: 0}
    expected[:600, :600] = np.kron(np.vectorize(of_value.get)(values), np.ones((20, 20))).astype(np.uint8)
    assert np.array_equal(rasters["labels"], expected)
    assert np.array_equal(rasters["confidence"], edge_distance(expected))
    assert np.array_equal(class_of_patch(rasters["polygon"]), expected)
    p = item.properties
    assert p["landstream:class_area_m2"] == {
        "a": int((expected == 1).sum()) * 100,
        "b": int((expected == 2).sum()) * 100,
    }
    assert "landstream:polygons" not in p
    assert p["landstream:scheme"] == "own"


def test_polygons_win_over_their_raster(tmp_path: Path) -> None:
    """Over that of the same edition; not over one of a later edition or of a year nearer the area's."""
    area = load_area(AREAS / "small.yaml")

    def of(collection: str, release: str, year: int = 2018) -> Item:
        properties = {
            "landstream:label_source": "clc", "landstream:reference_year": year, "landstream:campaign": "2018",
            "landstream:release": release, "datetime": "2018-01-01T00:00:00Z", "landstream:product": collection,
        }  # fmt: skip
        item_id = f"z-{collection}-{release or 'none'}-{year}--v1-00000000"
        return Item({"id": item_id, "collection": collection, "properties": properties, "assets": {}}, "static")

    def winner(*items: Item) -> str:
        found = [i for i in items if plan(i, catalogue_of(list(items), area), area, STAGE.settings())]
        (one,) = found
        return one.collection

    polygons, rasters = "label-polygons", "label-rasters"
    for release in ("V2020_20U1", "V2018_20", "V2020_20B2"):
        assert winner(of(polygons, release), of(rasters, release)) == polygons
    assert winner(of(polygons, "V2020_20"), of(rasters, "V2020_20U1")) == rasters
    assert winner(of(polygons, "V2020_20B2"), of(rasters, "V2020_20")) == rasters
    assert winner(of(polygons, "V2020_20U1", 2012), of(rasters, "V2018_20")) == rasters


@pytest.mark.realdata
def test_malta_as_polygons_and_as_a_raster_of_them(data: Path, tmp_path: Path) -> None:
    """Class areas agree: EEA draws its rasters by the centres of cells of 100 m."""
    fields = {"name": "malta", "aoi": [14.1, 35.78, 14.6, 36.1], "labels": "clc-level3", "label_year": 2018}
    malta = parse_area(fields | {"years": [2018]}, "test")
    meta, _, wkb, columns = pyogrio.raw.read(data / "clc-vector-malta" / "clc2018_mt.gpkg", layer="clc18_mt")
    codes = dict(zip(meta["fields"], columns, strict=True))["CODE_18"]
    outlines = shapely.from_wkb(wkb)
    west, _, _, north = np.floor(shapely.total_bounds(outlines) / 100) * 100
    shape = (600, 600)
    cells = rasterize(
        [(o, GRID_CODE[str(c)]) for o, c in zip(outlines, codes, strict=True)],
        out_shape=shape, transform=rasterio.Affine(100, 0, west, 0, -100, north + 100), dtype="uint8",
    )  # fmt: skip
    path = tmp_path / "U2018_CLC2018_V2020_20u1.tif"
    with rasterio.open(
        path, "w", "GTiff", shape[1], shape[0], 1, dtype="uint8", crs=meta["crs"],
        transform=rasterio.Affine(100, 0, west, 0, -100, north + 100),
    ) as file:  # fmt: skip
        file.write(cells, 1)
    item = run(delivery(path, "clc"), malta, tmp_path / "out")
    drawn = {str(c): shapely.area(outlines[codes == c]).sum() for c in set(codes) - {"523"}}
    found = item.properties["landstream:class_area_m2"]
    assert sum(found[c] for c in drawn) == pytest.approx(sum(drawn.values()), rel=2e-3)
    for code, area_m2 in drawn.items():  # half a cell along an outline, which cancels out but for the smallest ones
        assert found[code] == pytest.approx(area_m2, rel=0.02, abs=1e5), code


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("file", "aoi"),
    [
        ("U2018_CLC2018_V2020_20u1_FR_GLP.tif", [-61.8, 16.2, -61.5, 16.35]),
        ("clc_luxembourg_lorraine_saar_100m.tif", [6.1, 49.4, 6.5, 49.7]),
        ("clc2012_vaud_lausanne_100m.tif", [6.5, 46.55, 6.8, 46.75]),
    ],
)
def test_real_rasters_keep_their_class_areas(file: str, aoi: list[float], data: Path, tmp_path: Path) -> None:
    """Of the pixels whose middle lies on the grid; nodata is 0, 255 or undeclared."""
    fields = {"name": "here", "aoi": aoi, "labels": "clc-level3", "label_year": 2018, "years": [2018]}
    area = parse_area(fields, "test")
    path = data / "clc-raster" / file
    item = run(delivery(path, "clc"), area, tmp_path / "out")
    with rasterio.open(path) as raster:
        values, t, crs, cell = raster.read(1), raster.transform, raster.crs.to_wkt(), abs(np.prod(raster.res))
    rows, cols = np.mgrid[: values.shape[0], : values.shape[1]] + 0.5
    x, y = Transformer.from_crs(crs, area.grid.crs, always_xy=True).transform(t.c + t.a * cols, t.f + t.e * rows)
    west, south, east, north = area.grid.bounds_m
    inside = (x > west) & (x < east) & (y > south) & (y < north)
    counts = np.bincount(values[inside], minlength=256)
    found = item.properties["landstream:class_area_m2"]
    assert sum(found.values()) > 0
    for code, value in GRID_CODE.items():
        # UTM's scale over some 100 km, and the cells along the grid's edge
        assert found[code] == pytest.approx(counts[value] * cell, rel=0.01, abs=2e5), code
