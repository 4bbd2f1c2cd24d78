"""Polygons of any vector format become a GeoPackage that ingest takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely

from simulator.bands import WrapError
from simulator.labels import write_labels

SQUARES = shapely.box([0, 20, 40], [0, 0, 0], [10, 30, 50], [10, 10, 10])
CROPS = np.array(["maize", "wheat", None], dtype=object)


def write_vector(
    path: Path, driver: str, fields: dict[str, np.ndarray], layer: str = "fields", **options: object
) -> Path:
    """Three squares with fields, as any vector format."""
    pyogrio.raw.write(
        path,
        shapely.to_wkb(SQUARES),
        list(fields.values()),
        list(fields),
        layer=layer,
        driver=driver,
        **{"geometry_type": "Polygon", "crs": "EPSG:32634", **options},
    )
    return path


FORMATS = [("f.shp", "ESRI Shapefile"), ("f.geojson", "GeoJSON"), ("f.gpkg", "GPKG")]


@pytest.mark.parametrize(("file", "driver"), FORMATS)
def test_the_attribute_and_the_polygons_are_kept(tmp_path: Path, file: str, driver: str) -> None:
    layer = "f" if driver == "ESRI Shapefile" else "fields"
    source = write_vector(tmp_path / file, driver, {"crop": CROPS, "area": np.arange(3.0)}, layer)
    target = write_labels(source, "crop", tmp_path / "out")
    assert target == tmp_path / "out" / "f.gpkg"
    meta, _, geometry, (crops,) = pyogrio.raw.read(target)
    assert (meta["crs"], list(meta["fields"])) == ("EPSG:32634", ["crop"])
    assert crops.tolist() == CROPS.tolist()
    assert shapely.equals(shapely.from_wkb(geometry), SQUARES).all()
    first = target.read_bytes()
    assert write_labels(source, "crop", tmp_path / "out").read_bytes() == first


def test_whole_numbers_stay_whole_numbers(tmp_path: Path) -> None:
    source = write_vector(tmp_path / "clc.gpkg", "GPKG", {"code": np.array([111, 312, 512], dtype=np.int32)})
    _, _, _, (codes,) = pyogrio.raw.read(write_labels(source, "code", tmp_path / "out"))
    assert (codes.dtype, codes.tolist()) == (np.int32, [111, 312, 512])


def test_the_layer_is_the_one_that_has_the_attribute(tmp_path: Path) -> None:
    source = write_vector(tmp_path / "f.gpkg", "GPKG", {"other": CROPS}, "b")
    write_vector(source, "GPKG", {"crop": CROPS}, "a", append=True)
    assert pyogrio.list_layers(write_labels(source, "crop", tmp_path / "out"))[0][0] == "a"
    write_vector(source, "GPKG", {"crop": CROPS}, "c", append=True)
    with pytest.raises(WrapError, match="layers a and c both have crop; choose one with --layer"):
        write_labels(source, "crop", tmp_path / "out")
    assert pyogrio.list_layers(write_labels(source, "crop", tmp_path / "out", "c"))[0][0] == "c"


def test_what_holds_no_such_polygons_is_refused(tmp_path: Path) -> None:
    source = write_vector(tmp_path / "f.gpkg", "GPKG", {"crop": CROPS})
    bare = write_vector(tmp_path / "bare.shp", "ESRI Shapefile", {"crop": CROPS}, "bare", crs="EPSG:32634")
    bare.with_suffix(".prj").unlink()
    (tmp_path / "note.txt").write_text("no polygons")
    for path, attribute, layer, fault in (
        (tmp_path / "absent.shp", "crop", "", "no such file"),
        (tmp_path / "note.txt", "crop", "", "cannot be read as polygons"),
        (source, "kind", "", "no layer of polygons has the field kind; there are crop"),
        (source, "crop", "roads", "has no layer roads of polygons; there are fields"),
        (bare, "crop", "", "has no CRS"),
    ):
        with pytest.raises(WrapError, match=fault) as found:
            write_labels(path, attribute, tmp_path / "out", layer)
        assert str(found.value).startswith(str(path))
    with pytest.raises(WrapError, match="in --out already"):
        write_labels(source, "crop", tmp_path)
