"""Points as labels: LUCAS's table, a layer of points, and what is said where neither has a place."""

from __future__ import annotations

import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import shapely

from shared.area import Area
from shared.stage import NewItem, RejectScene

from .conftest import LABELS_AOI, make_area

Run = Callable[..., NewItem]
SCHEME: dict[str, Any] = {
    "scheme": "lucas",
    "attribute": "lc1",
    "classes": [
        {"code": "B", "name": "Cropland", "color": "#ffff00", "sources": ["B11", "B16"]},
        {"code": "C", "name": "Woodland", "color": "#00ff00", "sources": ["C10"]},
    ],
    "ignored": ["8"],
}
LUCAS = "point_id,th_lat,th_long,LC1\n1,45.940,23.990,B11\n2,45.950,23.980,C10\n3,45.945,23.985,8\n4,,,C10\n"


@pytest.fixture
def area() -> Area:
    return make_area(LABELS_AOI, [2018], SCHEME)


def test_a_table_of_lucas(ingest: Run, tmp_path: Path) -> None:
    path = tmp_path / "EU_2018_LUCAS.csv"
    path.write_text(LUCAS)
    item = ingest(path)
    p = item.properties
    assert (item.collection, item.product) == ("label-polygons", "EU_2018_LUCAS")
    assert (p["landstream:attribute"], p["landstream:crs"], p["landstream:member"]) == ("LC1", "EPSG:4326", "")
    assert item.assets["polygons"].path.read_text() == LUCAS
    assert item.bbox == pytest.approx((23.98, 45.94, 23.99, 45.95), abs=1e-4)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_tables_of_any_separator(separator: str, ingest: Run, tmp_path: Path) -> None:
    rows = ["\ufeffLon", "Lat", "lc1\n23.99", "45.94", "C10\n"]
    (tmp_path / "points.csv").write_text(separator.join(rows))
    assert ingest(tmp_path / "points.csv").properties["landstream:layer"] == "points"


@pytest.mark.parametrize(
    "head", ["gps_lat,gps_long,th_lat,th_long,lc1", "x,y,Lat,LON,lc1", "gps_long,gps_lat,latitude,longitude,lc1"]
)
def test_the_columns_that_hold_the_position(head: str, ingest: Run, tmp_path: Path) -> None:
    """Of several the one that is degrees, wherever it stands: LUCAS's of satellites are 88.9 without any."""
    (tmp_path / "points.csv").write_text(
        f"{head}\n88.88888,88.88888,45.94,23.99,B11\n88.88888,88.88888,45.95,23.98,C10\n"
    )
    assert ingest(tmp_path / "points.csv").bbox == pytest.approx((23.98, 45.94, 23.99, 45.95), abs=1e-4)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_a_table_with_letters_of_a_country(encoding: str, ingest: Run, tmp_path: Path) -> None:
    scheme = SCHEME | {"attribute": "n\u00e4he", "ignored": ["S\u00fcmpfe"]}
    text = "lon,lat,n\u00e4he,h\u00f6he\n23.99,45.94,S\u00fcmpfe,3\n23.98,45.95,B11,4\n"
    (tmp_path / "points.csv").write_bytes(text.encode(encoding))
    assert ingest(tmp_path / "points.csv", make_area(LABELS_AOI, [2018], scheme)).geometry["type"] == "Polygon"


@pytest.mark.parametrize("nowhere", ["-9999,-9999", "23.98,999", "inf,nan"])
def test_a_point_that_is_nowhere(nowhere: str, ingest: Run, tmp_path: Path) -> None:
    """Tables write so where they know no position."""
    (tmp_path / "points.csv").write_text(f"lon,lat,lc1\n23.99,45.94,B11\n23.98,45.95,C10\n{nowhere},C10\n")
    assert ingest(tmp_path / "points.csv").geometry["type"] == "Polygon"


def test_a_table_in_a_zip(ingest: Run, tmp_path: Path) -> None:
    """Beside a table of something else."""
    with zipfile.ZipFile(tmp_path / "lucas.zip", "w") as archive:
        archive.writestr("lucas/legend.csv", "code;name\nB11;Wheat\n")
        archive.writestr("lucas/EU_2018.csv", LUCAS)
    p = ingest(tmp_path / "lucas.zip").properties
    assert (p["landstream:member"], p["landstream:layer"]) == ("lucas/EU_2018.csv", "EU_2018")


def test_a_layer_of_points(ingest: Run, tmp_path: Path) -> None:
    points = shapely.to_wkb(np.asarray(shapely.points([23.99, 23.98], [45.94, 45.95]), object))
    codes = np.array(["B11", "C10"], dtype=object)
    path = tmp_path / "lucas.gpkg"
    pyogrio.raw.write(path, points, [codes], ["lc1"], crs="EPSG:4326", driver="GPKG", geometry_type="Point")
    assert ingest(path).properties["landstream:attribute"] == "lc1"
    with pytest.raises(RejectScene, match="has no polygons with an attribute like"):
        ingest(path, make_area(LABELS_AOI, [2018], "clc-level1"))


@pytest.mark.filterwarnings("ignore:'crs' was not provided")
def test_a_layer_that_cannot_be_used_is_not_in_the_way_of_one(ingest: Run, tmp_path: Path) -> None:
    path, codes = tmp_path / "lucas.gpkg", [np.array(["B11"], dtype=object)]
    for layer, crs in (("drawn", None), ("lucas", "EPSG:4326")):
        point = shapely.to_wkb(np.array([shapely.Point(23.99, 45.94)], object))
        more: dict[str, Any] = {"driver": "GPKG", "geometry_type": "Point", "append": path.exists()}
        pyogrio.raw.write(path, point, codes, ["lc1"], crs=crs, layer=layer, **more)
        if crs is None:
            with pytest.raises(RejectScene, match="layer drawn has no CRS"):
                ingest(path)
    assert ingest(path).properties["landstream:layer"] == "lucas"


def test_one_point_is_enough(ingest: Run, tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("x,y,lc1\n23.99,45.94,C10\n")
    assert ingest(tmp_path / "one.csv").geometry["type"] == "Polygon"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a,b,lc1\n1,2,B11\n", r"points\.csv: has no columns of longitude and latitude.*name them lon,lat"),
        ("lon,lat,lc2\n23.99,45.94,B11\n", "has no polygons or points with an attribute like 'lc1'"),
        ("lon,lat,lc1\n23.99,45.94,Z99\n", "class code 'Z99' is unknown to the label scheme lucas"),
        ("lon,lat,lc1\n3.99,45.94,B11\n", "outside the area here"),
        ("lon,lat,lc1\n", "has no polygons or points with an attribute like"),
        ("lon,lat,lc1\n,,B11\n", "says of none of its features where it is"),
        ("", "is empty"),
    ],
)
def test_what_is_refused(text: str, why: str, ingest: Run, tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text(text)
    with pytest.raises(RejectScene, match=why):
        ingest(tmp_path / "points.csv")


def other_file(folder: Path) -> str:
    """A layer of GDAL's XML, whose first line is a table's, over a file beside it."""
    (folder / "secret.csv").write_text("lon,lat,lc1\n23.99,45.94,B11\n")
    return (
        '<OGRVRTDataSource><!--,lon,lat,lc1,--><OGRVRTLayer name="points">'
        f"<SrcDataSource>{folder / 'secret.csv'}</SrcDataSource><SrcLayer>secret</SrcLayer>"
        '<GeometryType>wkbPoint</GeometryType><GeometryField encoding="PointFromColumns" x="lon" y="lat"/>'
        "</OGRVRTLayer></OGRVRTDataSource>\n"
    )


def test_a_table_that_names_another_file(ingest: Run, tmp_path: Path) -> None:
    """It is read as a table, whatever GDAL would take it for."""
    (tmp_path / "points.csv").write_text(other_file(tmp_path))
    with pytest.raises(RejectScene, match="has no polygons or points with an attribute like"):
        ingest(tmp_path / "points.csv")


def test_a_database_by_the_name_of_a_table(ingest: Run, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "points.csv") as database:
        database.execute("create table points (a,lon,lat,lc1)")
        database.execute("insert into points values (1, 23.99, 45.94, 'B11')")
    with pytest.raises(RejectScene, match=r"points\.csv"):
        ingest(tmp_path / "points.csv")


def test_a_path_that_would_leave_the_delivery(ingest: Run, tmp_path: Path) -> None:
    """What follows an exclamation mark is another file's path to pyogrio."""
    points = shapely.to_wkb(np.asarray(shapely.points([23.99], [45.94]), object))
    made = tmp_path / "made.gpkg"
    pyogrio.raw.write(made, points, [np.array(["B11"], object)], ["lc1"], crs="EPSG:4326", geometry_type="Point")
    with zipfile.ZipFile(tmp_path / "lucas.zip", "w") as archive:
        archive.write(made, f"a!{made}")
    with pytest.raises(RejectScene, match="has an exclamation mark"):
        ingest(tmp_path / "lucas.zip")
    (tmp_path / "a!b.csv").write_text(LUCAS)
    assert ingest(tmp_path / "a!b.csv").properties["landstream:layer"] == "a!b"
