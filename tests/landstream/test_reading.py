"""`landstream.open`: what a researcher reads of a store, by names and degrees, without a warning."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pyproj import Transformer

import landstream
from landstream.reading import OpenStore
from shared.items.stac import asset_key
from tests.catalogues import AREA
from tests.conftest import ROOT

INSIDE = 24.0, 45.95


@pytest.fixture(scope="module")
def store(mapped: Path) -> OpenStore:
    return landstream.open(mapped)


def test_importing_it_loads_nothing() -> None:
    script = "import json, sys; import landstream; print(json.dumps(sorted(m.partition('.')[0] for m in sys.modules)))"
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=True)
    assert not {"numpy", "xarray", "pydantic", "shared", "typer"}.intersection(json.loads(run.stdout))


def test_opening_it_prints_nothing(mapped: Path) -> None:
    script = f"import landstream; s = landstream.open({str(mapped)!r}); s.weeks; s.band('B08'); s.land_cover()"
    run = subprocess.run([sys.executable, "-W", "error", "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_it_is_read_where_a_loop_of_events_runs_as_in_a_notebook(mapped: Path) -> None:
    async def weeks() -> list[str]:
        return landstream.open(mapped).weeks

    assert asyncio.run(weeks()) == landstream.open(mapped).weeks


def test_what_it_holds(store: OpenStore, mapped: Path) -> None:
    assert store.area.name == "small"
    assert store.bands == ("B02", "B03", "B04", "B08", "B05", "B06", "B07", "B8A", "B11", "B12", "B01", "B09")
    assert store.weeks == store.cube.weeks()
    assert store.map_weeks == sorted(p.name for p in (mapped / "items" / "land-cover-maps").iterdir())
    assert store.classes[1] == "Artificial surfaces"
    assert str(mapped) in repr(store)


def test_a_point_is_what_the_cube_holds_there(store: OpenStore) -> None:
    x, y = store.at(*INSIDE)
    pixel = store.pixel(*INSIDE)
    assert pixel.dims == ("week", "band")
    assert pixel.shape == (len(store.weeks), 12)
    west, _, _, north = AREA.grid.bounds_m
    row, col = int((north - y) // 10), int((x - west) // 10)
    for week, found in zip(store.weeks, pixel, strict=True):
        fine, coarse = store.cube.msi(week, row // 2 * 2, col // 2 * 2, 2, 2)
        stored = np.concatenate([fine[row % 2, col % 2], coarse[0, 0]]).astype(float)
        expected = np.where(stored > 0, (stored - 1000) / 10000, np.nan)
        np.testing.assert_allclose(found[:10], expected)
    lazy = store.band("B11").sel(week=pixel.week[-1]).sel(x=x, y=y, method="nearest")
    np.testing.assert_allclose(lazy, pixel.sel(band="B11")[-1])
    ndvi = store.ndvi(*INSIDE)
    red, nir = pixel.sel(band="B04"), pixel.sel(band="B08")
    np.testing.assert_allclose(ndvi, (nir - red) / (nir + red))


def test_a_map_is_that_of_the_store(store: OpenStore, mapped: Path) -> None:
    import rasterio

    from landstream.export.weeks import choose_weeks

    found = store.land_cover()
    ((week, (item,)),) = choose_weeks(store._context.reader.snapshot(), []).items()
    assert found.attrs["week"] == week
    with rasterio.open(mapped / asset_key(item, "land_cover")) as image:
        for row, col in ((100, 200), (500, 500), (700, 100)):
            x, y = float(found.x[col]), float(found.y[row])
            assert found.land_cover[row, col] == next(image.sample([(x, y)]))[0]
    seen = found.land_cover > 0
    assert seen.any()
    assert (found.confidence.notnull() == seen).all()
    assert found.land_cover.attrs["flag_meanings"][1] == "Artificial surfaces"
    part = store.land_cover(week, bounds=(24.0, 45.94, 24.01, 45.95))
    to_degrees = Transformer.from_crs(AREA.grid.crs, 4326, always_xy=True)
    lon, lat = to_degrees.transform(part.x.values.mean(), part.y.values.mean())
    assert (lon, lat) == (pytest.approx(24.005, abs=1e-3), pytest.approx(45.945, abs=1e-3))
    assert (part.land_cover == found.land_cover.sel(x=part.x, y=part.y)).all()


def test_mistakes_say_what_to_do(store: OpenStore, tmp_path: Path) -> None:
    for ask, said in (
        (lambda: landstream.open(tmp_path), "check the name, `landstream run` makes a new one"),
        (lambda: store.ndvi(45.95, 24.0), "give longitude, then latitude"),
        (lambda: store.band("B99"), "there are B02"),
        (lambda: store.band("B08", 2031), "there are 2018"),
        (lambda: store.land_cover("2018-W01"), "there are maps of"),
        (lambda: store.land_cover(bounds=(10, 10, 11, 11)), "west, south, east, north"),
    ):
        with pytest.raises(ValueError, match=said):
            ask()
