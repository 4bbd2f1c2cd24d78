"""Labels in the cube: the better ones stay, and their polygons with them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import zarr
from affine import Affine

from services.tiler.merge_labels import update_labels
from shared.area import Area, load_area
from shared.cube import Cube, open_cube
from shared.cube.layout import create_layers, label_layers
from shared.cube.repository import MAIN, open_repository
from tests.conftest import AREAS

BETTER: list[Any] = [0, "2018", "V2020_20u1", "b", 1, "b"]
WORSE: list[Any] = [-6, "2012", "V2020_20u1", "a", 1, "a"]
TYPES = {"labels": "uint8", "confidence": "uint8", "polygon": "uint32"}


@pytest.fixture(scope="module")
def area() -> Area:
    return load_area(AREAS / "small.yaml")


def rasters(folder: Path, **values: np.ndarray) -> dict[str, Path]:
    """Labels of a delivery as rasterize publishes them: asset's name -> (y, x)."""
    folder.mkdir()
    paths = {}
    for name, array in values.items():
        paths[name] = folder / f"{name}.tif"
        ny, nx = array.shape
        options = {"driver": "GTiff", "height": ny, "width": nx, "count": 1, "dtype": TYPES[name], "crs": "EPSG:32634"}
        with rasterio.open(paths[name], "w", transform=Affine(10, 0, 0, 0, -10, 0), **options) as file:
            file.write(array.astype(TYPES[name]), 1)
    return paths


def filled(folder: Path, area: Area, value: int, *names: str) -> dict[str, Path]:
    """Labels of one value; the other rasters tell where they are."""
    shape = area.grid.shape_px(10)
    where = np.arange(shape[0])[:, None] * 2**20 + np.arange(shape[1])
    given = {"labels": np.full(shape, value), "confidence": np.full(shape, 100 + value), "polygon": where + 1}
    return rasters(folder, **{name: given[name] for name in ("labels", *names)})


def put(cube: Cube, paths: dict[str, Path], rank: list[Any]) -> None:
    classes = len(cube.scheme.classes)
    cube.write_labels(lambda group, again: update_labels(group, classes, paths, rank), "labels")


def test_the_better_labels_stay_whoever_comes_last(area: Area, tmp_path: Path) -> None:
    cube = open_cube(str(tmp_path / "cube"), area, "write")
    height, width = area.grid.shape_px(10)
    made = {v: filled(tmp_path / f"{v}", area, v, "confidence", "polygon") for v in (1, 2)}
    put(cube, made[1], BETTER)
    put(cube, made[2], WORSE)
    whole = 0, 0, height, width
    assert (cube.labels(*whole) == 1).all()
    assert (cube.label_confidence(*whole) == 101).all()
    put(cube, made[2], [*BETTER[:4], 2, "b"])
    assert (cube.labels(*whole) == 2).all()
    assert (cube.label_confidence(*whole) == 102).all()
    assert cube.polygons(700, 300, 1, 2).tolist() == [[700 * 2**20 + 301, 700 * 2**20 + 302]]
    presence = cube.array(f"labels/{area.labels.scheme}/classes")
    assert presence is not None
    assert np.asarray(presence).tolist() == [[[0, 1, 0, 0, 0]] * 4] * 4


def test_polygons_of_other_labels_do_not_stay(area: Area, tmp_path: Path) -> None:
    """Labels that rasterize's first version burned have neither polygons nor confidence."""
    cube = open_cube(str(tmp_path / "cube"), area, "write")
    put(cube, filled(tmp_path / "worse", area, 1, "confidence", "polygon"), WORSE)
    assert cube.has_polygons
    put(cube, filled(tmp_path / "better", area, 2), BETTER)
    assert not cube.has_polygons
    whole = 0, 0, *area.grid.shape_px(10)
    assert (cube.labels(*whole) == 2).all()
    assert not cube.polygons(*whole).any()
    assert not cube.label_confidence(*whole).any()


def test_a_cube_of_classes_alone_gets_the_others_with_the_next_labels(area: Area, tmp_path: Path) -> None:
    location, scheme = str(tmp_path / "cube"), area.labels.scheme
    session = open_repository(location).writable_session(MAIN)
    create_layers(session.store, (layer for layer in label_layers(area) if "/class" in layer.path))
    group = zarr.open_group(session.store, mode="r+", path=f"{area.name}/labels/{scheme}")
    group.attrs["rank"] = BETTER
    group["class"][:] = 3  # type: ignore[index]
    session.commit("as it was before")

    old = open_cube(location, area, "read")
    assert old.paths() == [f"labels/{scheme}/class", f"labels/{scheme}/classes"]
    assert not old.has_polygons
    assert not old.polygons(0, 0, 4, 4).any()
    assert not old.label_confidence(0, 0, 4, 4).any()

    cube = open_cube(location, area, "write")
    again = partial(put, cube, filled(tmp_path / "again", area, 3, "confidence", "polygon"))
    again(WORSE)
    assert not cube.has_polygons, "worse ones change nothing"
    again([*BETTER[:4], 2, "b"])
    assert cube.has_polygons
    assert (cube.labels(0, 0, 4, 4) == 3).all()
    assert (cube.label_confidence(0, 0, 4, 4) == 103).all()
    assert cube.polygons(0, 0, 1, 3).tolist() == [[1, 2, 3]]
    assert cube.polygons(-1, -1, 2, 2).tolist() == [[0, 0], [0, 1]]
    assert cube.polygons(0, 0, 1, 1).dtype == np.uint32
    assert cube.label_confidence(-1, -1, 2, 2).tolist() == [[0, 0], [0, 103]]
