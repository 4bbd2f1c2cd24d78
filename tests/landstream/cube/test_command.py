"""`landstream cube`: what it shows and writes is what the cube holds, read by GDAL and by hand."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from pyproj import Transformer
from rio_cogeo import cog_validate
from typer.testing import CliRunner

from landstream.cube.command import app
from shared.area import Area
from shared.cube import Cube, open_cube
from shared.geo import TILE_10M_PX
from shared.raster.grid import Window
from tests.catalogues import AREA
from tests.conftest import landstream

SIDE = TILE_10M_PX


@pytest.fixture(scope="module")
def area() -> Area:
    return AREA


@pytest.fixture(scope="module")
def cube(mapped: Path) -> Cube:
    return open_cube(str(mapped / "cube"), AREA, "read")


def run(mapped: Path, *arguments: object, check: bool = True) -> str:
    result = CliRunner().invoke(app, [*map(str, arguments), "--store", str(mapped)])
    assert result.exit_code == (0 if check else 2), result.output
    return result.stdout if check else result.stderr


def test_info_tells_weeks_and_arrays(mapped: Path, cube: Cube) -> None:
    facts = json.loads(run(mapped, "info", "--json"))
    assert facts["weeks"] == {week: int(cube.observed(week).sum()) for week in cube.weeks()}
    assert set(facts["arrays"]) == set(cube.paths())
    fine = facts["arrays"]["2018/Sentinel-2/MSI/10m"]
    assert (fine["dtype"], fine["chunks"]) == ("uint16", [1, 256, 256, 4])
    assert fine["stored"] == len(cube.chunks("2018/Sentinel-2/MSI/10m"))
    text = landstream("cube", "info", "--store", mapped).stdout
    assert "4 x 4 tiles" in text
    assert all(week in text for week in cube.weeks())


def test_a_tile_of_a_week(mapped: Path, cube: Cube) -> None:
    week = cube.weeks()[0]
    row, col = np.argwhere(cube.observed(week))[0]
    sample = cube.tile(int(row), int(col), week)
    assert [a.shape for a in (sample.msi_10m, sample.msi_20m, sample.msi_60m, sample.olci, sample.labels)] == [
        (256, 256, 4), (128, 128, 6), (43, 43, 2), (9, 9, 21), (256, 256),
    ]  # fmt: skip
    fine, coarse = cube.msi(week, row * SIDE, col * SIDE, SIDE, SIDE)
    assert np.array_equal(sample.msi_10m, fine)
    assert np.array_equal(sample.msi_20m, coarse)
    assert np.array_equal(sample.labels, cube.labels(row * SIDE, col * SIDE, SIDE, SIDE))
    with pytest.raises(IndexError, match=r"tile 4,0 is not one of 4 x 4"):
        cube.tile(4, 0, week)
    lines = run(mapped, "read", "--tile", f"{row},{col}", "--week", week).splitlines()
    (b04,) = [line.split() for line in lines if line.startswith("B04")]
    seen = fine[..., 2][fine[..., 2] > 0]
    assert b04[1] == f"{seen.size / SIDE**2:.1%}"
    assert [float(t) for t in b04[2:]] == pytest.approx(
        [v / 10_000 - 0.1 for v in (seen.min(), np.median(seen), seen.max())], abs=1e-4
    )


def test_a_tile_as_a_geotiff(mapped: Path, cube: Cube, tmp_path: Path) -> None:
    week = cube.weeks()[0]
    row, col = map(int, np.argwhere(cube.observed(week))[0])
    for layer, side in (("10m", 256), ("20m", 128), ("60m", 43), ("300m", 9), ("labels", 256)):
        path = tmp_path / f"{layer}.tif"
        run(mapped, "export", "--tile", f"{row},{col}", "--week", week, "--layer", layer, "--out", path)
        assert cog_validate(path, quiet=True)[0]
        with rasterio.open(path) as file:
            assert file.shape == (side, side)
            values = np.moveaxis(file.read(), 0, -1)
            scales, offsets, names, corner = file.scales, file.offsets, file.descriptions, file.transform
        sample = cube.tile(row, col, week)
        expected = {
            "10m": sample.msi_10m, "20m": sample.msi_20m, "60m": sample.msi_60m, "300m": sample.olci,
            "labels": sample.labels[..., np.newaxis],
        }[layer]  # fmt: skip
        assert np.array_equal(values, expected, equal_nan=layer == "300m")
        if layer == "10m":
            assert names == ("B02", "B03", "B04", "B08")
            assert (scales[0], offsets[0]) == pytest.approx((1e-4, -0.1))
            west, _, _, north = AREA.grid.bounds_m
            assert (corner.c, corner.f) == (west + 2560 * col, north - 2560 * row)


def test_a_box_as_a_geotiff(mapped: Path, cube: Cube, tmp_path: Path) -> None:
    week, path = cube.weeks()[0], tmp_path / "box.tif"
    west, south, east, north = AREA.polygon.bounds
    x, y = (west + east) / 2, (south + north) / 2
    bounds = f"{x},{y},{x + 0.02},{y + 0.01}"
    run(mapped, "export", "--bbox", bounds, "--week", week, "--layer", "20m", "--out", path)
    with rasterio.open(path) as file:
        values, t = np.moveaxis(file.read(), 0, -1), file.transform
        inside = Transformer.from_crs(4326, file.crs, always_xy=True).transform(x + 0.01, y + 0.005)
        assert file.bounds.left < inside[0] < file.bounds.right
    row, col = int((AREA.grid.origin_y_m - t.f) / 20), int((t.c - AREA.grid.origin_x_m) / 20)
    _, coarse = cube.msi(week, 2 * row, 2 * col, 2 * values.shape[0], 2 * values.shape[1])
    assert np.array_equal(values, coarse)


@pytest.mark.parametrize("layer", ["10m", "300m", "labels"])
def test_a_week_as_a_mosaic(layer: str, mapped: Path, cube: Cube, tmp_path: Path) -> None:
    week = cube.weeks()[0]
    given = () if layer == "labels" else ("--week", week)
    paths = run(mapped, "export", *given, "--layer", layer, "--out", tmp_path / "week").split()
    moved = (tmp_path / "week").rename(tmp_path / "moved") / Path(paths[-1]).name
    with rasterio.open(moved) as file:
        values = np.moveaxis(file.read(), 0, -1)
    ny, nx = AREA.grid.shape_px({"10m": 10, "300m": 300, "labels": 10}[layer])
    expected = {
        "10m": lambda: cube.fine(week, Window(0, 0, ny, nx)),
        "300m": lambda: cube.olci(week, Window(0, 0, ny, nx)),
        "labels": lambda: cube.labels(0, 0, ny, nx)[..., np.newaxis],
    }[layer]()
    assert np.array_equal(values, expected, equal_nan=layer == "300m")


def test_a_points_series(mapped: Path, cube: Cube, tmp_path: Path) -> None:
    week = cube.weeks()[0]
    row, col = np.argwhere(cube.fine(week, Window(0, 0, *AREA.grid.shape_px(10)))[..., 0] > 0)[100]
    x, y = AREA.grid.origin_x_m + 10 * col + 5, AREA.grid.origin_y_m - 10 * row - 5
    at = "{:.7f},{:.7f}".format(*Transformer.from_crs(AREA.grid.crs, 4326, always_xy=True).transform(x, y))
    table = run(mapped, "read", "--at", at)
    rows = list(csv.DictReader(io.StringIO(table)))
    (own,) = [r for r in rows if r["week"] == week]
    fine = cube.fine(week, Window(int(row), int(col), 1, 1))[0, 0]
    assert [float(own[b]) for b in ("B02", "B03", "B04", "B08")] == pytest.approx(fine / 10_000 - 0.1, abs=1e-6)
    assert {r["week"] for r in rows} <= set(cube.weeks())
    assert own["monday"] < own["week"].replace("W", "99")
    run(mapped, "read", "--at", at, "--out", tmp_path / "series.csv")
    assert (tmp_path / "series.csv").read_text() == table


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("read",), "--at LON,LAT, or --tile ROW,COL with --week"),
        (("read", "--at", "1,2"), "the point 1.0,2.0 lies outside the grid of small"),
        (("read", "--at", "x"), "x: write --at LON,LAT"),
        (("read", "--at", "24,46", "--week", "2018-W26"), "--at shows all weeks; leave --week out"),
        (("read", "--tile", "0,0", "--out", "a.csv"), "`landstream cube export` writes a tile"),
        (("read", "--tile", "0,0", "--week", "1999-W01"), "1999-W01: not a week of the cube; there are 2018"),
        (("export", "--out", "a", "--layer", "5m"), "'5m' is not a layer; there are 10m, 20m"),
        (("export", "--out", "a"), "no --week: not a week of the cube"),
        (("export", "--out", "a", "--layer", "labels", "--tile", "0,0"), "a: a tile or a box is a file; let --out end"),
        (("export", "--out", "a.tif", "--layer", "labels", "--tile", "9,0"), "--tile 9,0: the grid has rows 0 to 3"),
        (("export", "--out", "a.tif", "--layer", "labels", "--bbox", "0,0,1,1"), "lies outside the grid of small"),
    ],
)
def test_mistakes_are_one_line(arguments: tuple[str, ...], said: str, mapped: Path) -> None:
    (line,) = run(mapped, *arguments, check=False).splitlines()
    assert said in line
