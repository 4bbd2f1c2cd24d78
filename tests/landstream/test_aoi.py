"""Outlines in every form that people keep them in, and what is refused in words."""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer
from shapely.geometry import MultiPolygon, Polygon, box, mapping
from shapely.geometry.base import BaseGeometry

from landstream.aoi import Aoi, read_aoi
from shared.area import AreaError
from shared.geo.outline import project

DEGREES = Polygon([(23.9, 45.7), (24.3, 45.7), (24.3, 45.9), (23.9, 45.9)], [[(24, 45.75), (24.1, 45.75), (24, 45.8)]])
UTM = project(Transformer.from_crs(4326, 32635, always_xy=True), DEGREES.segmentize(0.01))


def write_vector(path: Path, geometries: list[BaseGeometry], crs: str, driver: str, layer: str = "aoi") -> Path:
    """A GeoPackage or Shapefile."""
    wkb = np.array(shapely.to_wkb(geometries), dtype=object)
    kinds = {g.geom_type for g in geometries}
    kind = kinds.pop() if len(kinds) == 1 else "Unknown"
    fields = {"field_data": [np.arange(len(wkb))], "fields": np.array(["number"])}
    pyogrio.raw.write(path, wkb, **fields, geometry_type=kind, crs=crs, driver=driver, layer=layer)
    return path


def write_json(path: Path, data: object) -> Path:
    path.write_text(json.dumps(data))
    return path


def feature(geometry: BaseGeometry | None) -> dict:
    return {"type": "Feature", "properties": {}, "geometry": None if geometry is None else mapping(geometry)}


def crs_member(name: str) -> dict:
    return {"type": "name", "properties": {"name": name}}


def assert_same(aoi: Aoi, expected: BaseGeometry = DEGREES) -> None:
    """Equal to within a pixel along the outline."""
    assert aoi.polygon.is_valid
    assert aoi.polygon.symmetric_difference(expected).area < expected.length * 1e-4
    assert not aoi.polygon.has_z


@pytest.mark.parametrize(
    "text",
    [
        DEGREES.wkt,
        f"  {DEGREES.wkt.lower()}",
        f"SRID=4326;{DEGREES.wkt}",
        f"SRID=0;{DEGREES.wkt}",
        f"SRID=32635;{UTM.wkt}",
        f"EPSG:32635;{UTM.wkt}",
        f"srid=EPSG:32635; {UTM.wkt}",
        shapely.to_wkt(shapely.force_3d(DEGREES, 310.0)),
        f"GEOMETRYCOLLECTION (POINT (1 2), {DEGREES.wkt}, LINESTRING (0 0, 1 1))",
    ],
)
def test_wkt(text: str, tmp_path: Path) -> None:
    assert_same(read_aoi(text))
    (tmp_path / "outline").write_text(text + "\n")
    assert_same(read_aoi(str(tmp_path / "outline")))
    assert ("32635" in text) == any("reprojected from EPSG:32635" in note for note in read_aoi(text).notes)


def test_wkt_line_by_line(tmp_path: Path) -> None:
    left, right = box(23.9, 45.7, 24.1, 45.9), box(24.1, 45.7, 24.3, 45.9)
    (tmp_path / "two.wkt").write_text(f"SRID=4326;{left.wkt}\n\nSRID=4326;{right.wkt}\n")
    aoi = read_aoi(str(tmp_path / "two.wkt"))
    assert_same(aoi, box(23.9, 45.7, 24.3, 45.9))
    assert aoi.notes == ("2 polygons united",)


@pytest.mark.parametrize(
    "data",
    [
        mapping(DEGREES),
        feature(DEGREES),
        {"type": "FeatureCollection", "features": [feature(DEGREES), feature(None)]},
        {"type": "GeometryCollection", "geometries": [mapping(DEGREES), {"type": "Point", "coordinates": [0, 0]}]},
        feature(DEGREES) | {"crs": None},
        feature(DEGREES) | {"crs": crs_member("urn:ogc:def:crs:OGC:1.3:CRS84")},
        feature(DEGREES) | {"crs": crs_member("urn:ogc:def:crs:EPSG::4326")},
        feature(UTM) | {"crs": crs_member("urn:ogc:def:crs:EPSG::32635")},
        {"type": "FeatureCollection", "features": [feature(UTM)], "crs": crs_member("EPSG:32635")},
        feature(UTM) | {"crs": {"type": "EPSG", "properties": {"code": 32635}}},
    ],
)
def test_geojson(data: dict, tmp_path: Path) -> None:
    assert_same(read_aoi(str(write_json(tmp_path / "outline.txt", data))))


@pytest.mark.parametrize(("crs", "outline"), [("EPSG:4326", DEGREES), ("EPSG:32635", UTM)])
@pytest.mark.parametrize(("driver", "suffix"), [("GPKG", ".gpkg"), ("ESRI Shapefile", ".shp")])
def test_vector_files_by_content(crs: str, outline: Polygon, driver: str, suffix: str, tmp_path: Path) -> None:
    path = write_vector(tmp_path / f"aoi{suffix}", [outline], crs, driver)
    assert_same(read_aoi(str(path)))
    with zipfile.ZipFile(tmp_path / "packed.bin", "w") as archive:
        for part in sorted(tmp_path.glob("aoi.*")):
            archive.write(part, f"folder/{part.name}")
    assert_same(read_aoi(str(tmp_path / "packed.bin")))
    renamed = path.rename(tmp_path / "aoi.data")
    aoi = read_aoi(str(renamed))
    assert_same(aoi)
    assert bool(aoi.notes) == (crs != "EPSG:4326")


def test_straight_edges_of_a_projection_stay_straight_there() -> None:
    whole = box(300_000, 6_600_000, 700_000, 6_800_000)
    aoi = read_aoi(f"SRID=32632;{whole.wkt}")
    back = project(Transformer.from_crs(4326, 32632, always_xy=True), aoi.polygon)
    assert back.hausdorff_distance(whole.segmentize(1000)) < 1_000
    assert back.symmetric_difference(whole).area / whole.length < 1.0  # metres


def test_parts_are_united_holes_kept_and_heights_dropped(tmp_path: Path) -> None:
    parts = [
        feature(shapely.force_3d(DEGREES, 5.0)),
        feature(MultiPolygon([box(25, 45, 25.1, 45.1), box(24.2, 45.8, 25, 46)])),
    ]
    aoi = read_aoi(str(write_json(tmp_path / "a.geojson", {"type": "FeatureCollection", "features": parts})))
    assert_same(aoi, shapely.union_all([shapely.force_2d(shapely.geometry.shape(p["geometry"])) for p in parts]))
    assert aoi.polygon.geom_type == "MultiPolygon"
    assert sum(len(p.interiors) for p in shapely.get_parts(aoi.polygon)) == 1
    assert aoi.notes == ("3 polygons united",)


def test_invalid_polygons_are_mended_and_that_is_said() -> None:
    aoi = read_aoi("POLYGON ((24 45, 25 46, 25 45, 24 46, 24 45))")
    assert aoi.polygon.area == pytest.approx(0.5)
    assert "Self-intersection" in aoi.notes[0]
    assert "mended" in aoi.notes[0]


def test_very_many_vertices_are_thinned() -> None:
    circle = shapely.Point(24, 46).buffer(0.5, quad_segs=5_000)
    aoi = read_aoi(circle.wkt)
    assert shapely.get_num_coordinates(aoi.polygon) < 2_000
    assert aoi.polygon.hausdorff_distance(circle) < 1.1e-4
    assert "20001 vertices simplified" in aoi.notes[0]


REFUSED = {
    "25,45,24,46": "west 25 is not west of east 24.*antimeridian",
    "24,46,25,45": "south 46 is not south of north 45",
    "170,-20,-170,-10": "antimeridian",
    "175,-20,185,-10": "pass 180 degrees; areas across the antimeridian",
    "10,80,20,85": "polar: Sentinel-2's tiles end at 80 S and 84 N",
    "10,-85,20,-70": "polar",
    "a,b,c,d": "not W,S,E,N in degrees",
    "nan,45,24,46": "not west, south, east, north in degrees",
    "698240,5093120,729000,5120000": "not west, south, east, north in degrees",
    "Sibiu, Romania": "no such file; give W,S,E,N in degrees, WKT, or a file",
    "absent.json": "no such file",
    "x" * 5000: r"--aoi x{77}\.\.\.: no such file",
    "POINT (24 46)": "holds 1 Point, where polygons are needed",
    "LINESTRING (24 46, 25 47)": "holds 1 LineString",
    "GEOMETRYCOLLECTION (POINT (24 46))": "holds 1 GeometryCollection",
    "POLYGON ((0 0, nan 1, 2 0, 0 0))": "coordinates that are no numbers",
    "POLYGON EMPTY": "only empty geometries",
    "POLYGON ((24 46, 25 47": "not WKT",
    "POLYGON ((24 46, 25 47, 26 48, 24 46))": "its polygons have no area",
    "POLYGON ((179 0, -179 0, -179 1, 179 1, 179 0))": "358 degrees of longitude, more than 180; areas across the anti",
    "MULTIPOLYGON (((179 0, 180 0, 180 1, 179 0)), ((-180 0, -179 0, -179 1, -180 0)))": "antimeridian",
    f"SRID=32660;{box(400_000, 0, 900_000, 90_000).wkt}": "antimeridian",
    UTM.wkt: r"not degrees, and no CRS is stated; put the CRS before it, `SRID=<EPSG code>;POLYGON",
    f"SRID=999999;{UTM.wkt}": "unknown to PROJ",
    f"SRID=32635;{box(1e9, 1e9, 2e9, 2e9).wkt}": "cannot be in EPSG:32635",
    f"SRID=4978;{UTM.wkt}": "not one of the ground",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda t: t[:30])
def test_what_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(AreaError, match=REFUSED[text]) as caught:
        read_aoi(text)
    message = str(caught.value)
    assert message.startswith("--aoi ")
    assert len(message.splitlines()) == 1
    assert len(message) < 400


def test_files_that_are_refused_in_one_line(tmp_path: Path) -> None:
    projected = write_json(tmp_path / "utm.geojson", feature(UTM))
    binary, empty, text, broken = (tmp_path / name for name in ("a.tif", "empty.json", "a.txt", "broken.json"))
    binary.write_bytes(b"II*\x00\xff\xfe")
    empty.touch()
    text.write_text("somewhere in Romania")
    broken.write_text('{"type": "FeatureCollection"')
    topology = write_json(tmp_path / "topo.json", {"type": "Topology", "objects": {}})
    deep = tmp_path / "deep.json"
    deep.write_text('{"a":' * 100_000)
    linked = write_json(tmp_path / "l.json", feature(DEGREES) | {"crs": {"type": "link", "properties": {"href": "x"}}})
    mixed = write_json(
        tmp_path / "m.json", {"type": "FeatureCollection", "features": [feature(DEGREES), feature(shapely.Point(1, 2))]}
    )
    nothing = write_json(tmp_path / "n.json", {"type": "FeatureCollection", "features": []})
    two = write_vector(tmp_path / "two.gpkg", [DEGREES], "EPSG:4326", "GPKG", "first")
    write_vector(two, [DEGREES], "EPSG:4326", "GPKG", "second")
    lines = write_vector(tmp_path / "lines.gpkg", [shapely.LineString(DEGREES.exterior)], "EPSG:4326", "GPKG")
    shape = write_vector(tmp_path / "plain.shp", [DEGREES], "EPSG:4326", "ESRI Shapefile")
    shape.with_suffix(".prj").unlink()
    lone = tmp_path / "alone" / "lone.shp"
    lone.parent.mkdir()
    shutil.copy(shape, lone)
    cut = tmp_path / "cut.gpkg"
    cut.write_bytes(two.read_bytes()[:9000])
    index = lone.with_name("index.bin")
    shutil.copy(shape.with_suffix(".shx"), index)
    sqlite = tmp_path / "other.gpkg"
    sqlite.write_bytes(b"SQLite format 3\x00" + bytes(100))
    archive = tmp_path / "two.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.write(projected, "a.geojson")
        opened.write(projected, "b.geojson")
    climbing = tmp_path / "climbing.zip"
    with zipfile.ZipFile(climbing, "w") as opened:
        opened.write(projected, "../a.geojson")
    expected = {
        projected: "not degrees, and no CRS is stated; export it in EPSG:4326, or with a `crs` member",
        tmp_path: "is a folder; name the file in it",
        binary: "is of no format that is known",
        empty: "is an empty file",
        text: "is neither GeoJSON nor WKT",
        broken: "not GeoJSON",
        topology: "not GeoJSON",
        deep: "not GeoJSON",
        linked: "names no CRS",
        mixed: "holds 1 Point, where polygons are needed",
        nothing: "holds no geometry",
        two: r"has 2 layers \(first, second\); name one with --layer",
        lines: "holds 1 Line",
        shape: "has no .prj beside it",
        shape.with_suffix(".shx"): "is a part of a Shapefile; give the .shp beside it",
        shape.with_suffix(".dbf"): "give the .shp beside it",
        index: "is the index of a Shapefile",
        lone: "has no .shx beside it",
        cut: "damaged vector file",
        sqlite: "no GeoPackage",
        archive: "holds 2 files with an outline",
        climbing: "unsafe path",
    }
    for path, message in expected.items():
        with pytest.raises(AreaError, match=message) as caught:
            read_aoi(str(path))
        assert len(str(caught.value).splitlines()) == 1
    assert_same(read_aoi(str(two), "second"))
    with pytest.raises(AreaError, match="has no layer 'third'; it has first, second"):
        read_aoi(str(two), "third")
    for text in (DEGREES.wkt, "23,45,24,46", str(mixed)):
        with pytest.raises(AreaError, match="has no layers; leave out --layer"):
            read_aoi(text, "first")


def test_without_pyogrio_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_vector(tmp_path / "a.gpkg", [DEGREES], "EPSG:4326", "GPKG")
    monkeypatch.setitem(sys.modules, "pyogrio", None)
    with pytest.raises(
        AreaError, match=r"a GeoPackage needs pyogrio: pip install 'landstream\[rasterize\]'; or give Geo"
    ):
        read_aoi(str(path))


COORDINATES = st.tuples(st.integers(-3000, 3000), st.integers(-3000, 3000)).map(
    lambda p: (24 + p[0] / 1e4, 46 + p[1] / 1e4)
)


@given(st.lists(COORDINATES, min_size=3, max_size=8))
def test_whatever_the_ring_the_outline_is_valid_or_refused(ring: list[tuple[float, float]]) -> None:
    try:
        aoi = read_aoi(Polygon(ring).wkt)
    except AreaError as error:
        assert "no area" in str(error)  # noqa: PT017
        return
    assert aoi.polygon.is_valid
    assert aoi.polygon.geom_type in {"Polygon", "MultiPolygon"}
    assert aoi.polygon.within(shapely.MultiPoint(ring).convex_hull.buffer(1e-9))
