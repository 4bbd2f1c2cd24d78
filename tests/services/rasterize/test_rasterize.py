"""Label rasters: the pixel-centre rule, datum shifts, order, and the real deliveries of Malta."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS, Transformer
from rio_cogeo import cog_validate

from services.rasterize.burn import burn, number_polygons, reproject
from services.rasterize.distance import edge_distance
from services.rasterize.process import STRIP_PIXELS, process, strip_rows
from services.rasterize.stage import STAGE, plan
from shared.area import Area, load_area
from shared.area.area import parse_area
from shared.items.item import Item
from shared.items.properties import PolygonFacts
from shared.stage import LocalItem, NewItem, RejectScene, Task
from simulator.clc import write_polygons
from tests.catalogues import catalogue_of

ROOT = Path(__file__).parents[3]
TRANSFORM = (10.0, 0.0, 0.0, 0.0, -10.0, 100.0)


def burned(geometries: list[shapely.Geometry], values: list[int], strip_px: int = 2048) -> np.ndarray:
    array = np.array(geometries, dtype=object)
    strips = list(burn(array, np.array(values, np.uint32), TRANSFORM, (10, 12), strip_px))
    return np.concatenate([s for _, s in strips])


def test_a_pixel_takes_what_holds_its_centre() -> None:
    expected = np.zeros((10, 12), np.uint32)
    expected[7:9, 1:3] = 7
    assert np.array_equal(burned([shapely.box(14, 14, 26, 34)], [7]), expected)


def test_the_later_polygon_wins_and_zero_unlabels() -> None:
    raster = burned([shapely.box(0, 0, 60, 60), shapely.box(30, 30, 90, 90), shapely.box(40, 40, 50, 50)], [1, 2, 0])
    assert (raster[9, 0], raster[6, 3], raster[1, 8], raster[5, 4]) == (1, 2, 2, 0)


@st.composite
def triangles(draw: st.DrawFn) -> list[shapely.Geometry]:
    # Off the lattice: an outline exactly through a pixel's centre is decided by rounding.
    point = st.builds(lambda x, y: (x + 0.1234567, y + 0.7654321), st.integers(-30, 150), st.integers(-30, 130))
    return [shapely.Polygon(c) for c in draw(st.lists(st.tuples(point, point, point), min_size=1, max_size=5))]


@given(triangles(), st.integers(1, 11))
def test_strips_do_not_show(polygons: list[shapely.Geometry], strip_px: int) -> None:
    values = list(range(1, len(polygons) + 1))
    assert np.array_equal(burned(polygons, values, strip_px), burned(polygons, values))


def test_nothing_to_burn() -> None:
    assert not burned([None, shapely.Polygon()], [1, 2]).any()  # type: ignore[list-item]


def test_polygons_are_numbered_in_the_order_of_the_delivery() -> None:
    """Whoever meets the grid counts, one that unlabels too; how far around the grid was read changes nothing."""
    inside, crossing, beside = shapely.box(14, 14, 26, 34), shapely.box(110, 90, 300, 300), shapely.box(121, 0, 130, 9)
    around = shapely.Polygon([(-9, -9), (200, -9), (200, 200), (190, 200), (190, -5), (-9, -5)])
    bow_tie = shapely.Polygon([(20, 20), (40, 40), (40, 20), (20, 40)])
    delivered = np.array([beside, inside, None, crossing, shapely.Polygon(), around, bow_tie], dtype=object)
    classes = np.array([1, 2, 2, 0, 2, 1, 1], np.uint8)
    grid = (0, 0, 120, 100)
    numbers = number_polygons(delivered, classes, grid)
    assert numbers.dtype == np.uint32
    assert numbers.tolist() == [0, 1, 0, 0, 0, 0, 3]
    read = np.array([1, 3, 6])
    assert number_polygons(delivered[read], classes[read], grid).tolist() == [1, 0, 3]
    assert not len(number_polygons(delivered[:0], classes[:0], grid))


def test_more_numbers_than_float32_tells_apart() -> None:
    numbers = np.array([2**24 + 1, 2**32 - 1], np.uint32)
    squares = np.array([shapely.box(0, 0, 60, 60), shapely.box(30, 30, 90, 90)], dtype=object)
    ((_, raster),) = burn(squares, numbers, TRANSFORM, (10, 12))
    assert raster.dtype == np.uint32
    assert np.unique(raster).tolist() == [0, 2**24 + 1, 2**32 - 1]


def test_a_strip_of_a_country_has_fewer_rows() -> None:
    assert strip_rows(1024) == 2048, "as the classes of small areas always were burned"
    assert 0 < strip_rows(291 * 256) * 291 * 256 <= STRIP_PIXELS
    assert strip_rows(10 * STRIP_PIXELS) == 1


def test_ed50_is_shifted_not_relabelled() -> None:
    """ED50 and WGS 84 lie some 190 m apart on Malta."""
    square = np.array([shapely.box(450000, 3970000, 450100, 3970100)], dtype=object)
    moved = reproject(square, "EPSG:23033", "EPSG:32633")[0]
    shift = np.hypot(moved.centroid.x - 450050, moved.centroid.y - 3970050)
    assert 100 < shift < 300
    assert moved.area == pytest.approx(10000, rel=1e-3)


@pytest.mark.parametrize(
    ("crs", "longitude", "latitude", "least_m"),
    [
        ("EPSG:3844", 24.0, 45.9, 80),  # Romania, Pulkovo 1942(58)
        ("EPSG:31467", 9.0, 50.0, 100),  # Germany, DHDN
        ("EPSG:5514", 15.0, 50.0, 80),  # Czechia, S-JTSK
        ("EPSG:2100", 23.7, 38.0, 200),  # Greece, GGRS87
        ("EPSG:27700", -1.0, 52.0, 80),  # Great Britain, OSGB36
    ],
)
def test_national_crs_are_shifted(crs: str, longitude: float, latitude: float, least_m: float) -> None:
    """The same longitude and latitude of the national datum and of WGS 84 are two places."""
    own = CRS.from_user_input(crs)
    x, y = Transformer.from_crs(own.geodetic_crs, own, always_xy=True).transform(longitude, latitude)
    utm = f"EPSG:{32631 + int(longitude // 6)}"
    square = np.array([shapely.box(x - 50, y - 50, x + 50, y + 50)], dtype=object)
    (moved,) = reproject(square, crs, utm)
    there = shapely.Point(Transformer.from_crs(4326, utm, always_xy=True).transform(longitude, latitude))
    assert least_m < moved.centroid.distance(there) < 400
    assert moved.area == pytest.approx(10_000, rel=2e-3)


def test_long_edges_are_cut_before_they_bend() -> None:
    band = np.array([shapely.box(5_300_000, 2_600_000, 5_500_000, 2_601_000)], dtype=object)
    moved = reproject(band, "EPSG:3035", "EPSG:32634")[0]
    x, y = Transformer.from_crs(3035, 32634, always_xy=True).transform(5_400_000, 2_601_000)
    assert moved.exterior.distance(shapely.Point(x, y)) < 1


def delivery(path: Path, layer: str, attribute: str, year: int, member: str = "", source: str = "clc") -> LocalItem:
    stem = path.name.split(".")[0]
    facts = PolygonFacts(
        scene=stem,
        product=stem,
        product_version=(),
        attribution="Copernicus Land Monitoring Service",
        layer=layer,
        attribute=attribute,
        member=member,
        reference_year=year,
        campaign=str(year),
        release="",
        label_source=source,
        crs="EPSG:3035",
    )
    properties = {"datetime": f"{year}-01-01T00:00:00Z"} | facts.properties()
    json_ = {"id": f"{stem}--v1-00000000", "collection": "label-polygons", "properties": properties, "assets": {}}
    return LocalItem(Item(json_, "static"), {"polygons": path})


def run(source: LocalItem, area: Area, folder: Path) -> NewItem:
    (job,) = plan(source.item, catalogue_of([source.item], area), area, STAGE.settings())
    folder.mkdir()
    return process(Task(job, (source,), (), None, area, STAGE.settings(), folder))


@pytest.fixture(scope="module")
def area() -> Area:
    return load_area(ROOT / "examples" / "areas" / "small.yaml")


def around(area: Area, *offsets: tuple[float, float, float, float]) -> np.ndarray:
    """Boxes (metres from the AOI's centre) in EPSG:3035."""
    x, y = Transformer.from_crs(4326, 3035, always_xy=True).transform(*area.polygon.centroid.coords[0])
    return np.array([shapely.box(x + w, y + s, x + e, y + n) for w, s, e, n in offsets], dtype=object)


def test_stage(area: Area, tmp_path: Path) -> None:
    squares = around(area, (-2000, -2000, 0, 0), (0, 0, 1000, 1000), (50_000, 50_000, 51_000, 51_000))
    path = write_polygons(tmp_path, squares, np.array([311, 511, 777], np.int32))
    item = run(delivery(path, "U2018_CLC2018_V2020_20u1", "Code_18", 2018), area, tmp_path / "out")
    p, asset = item.properties, item.assets["labels"]
    assert cog_validate(asset.path, quiet=True)[0]
    with rasterio.open(asset.path) as image:
        assert (image.dtypes, image.nodata, image.crs.to_string()) == (("uint8",), 0, area.grid.crs)
        assert image.shape == area.grid.shape_px(10)
        assert tuple(image.transform)[:6] == area.grid.transform(10)
        assert image.colormap(1)[3] == (0x80, 0xFF, 0x00, 255)
        assert "European Environment Agency" in image.tags()["TIFFTAG_COPYRIGHT"]
        assert image.tags(1)["CLASS_5"] == "Water bodies"
        counts = np.bincount(image.read(1).ravel(), minlength=6)
    # clc-level1: 3 = forests, 5 = water; the unknown code far outside was filtered away
    assert counts[3] == pytest.approx(40_000, rel=0.01)
    assert counts[5] == pytest.approx(10_000, rel=0.01)
    assert p["landstream:class_area_m2"] == {str(c): int(counts[c]) * 100 for c in range(1, 6)}
    assert (p["landstream:scheme"], p["landstream:reference_year"]) == ("clc-level1", 2018)
    assert (item.assets["labels_aux"].beside, item.assets["labels_aux"].path.name) == ("labels", "labels.tif.aux.xml")


def test_polygon_and_confidence_lie_beside_the_classes(
    area: Area, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two neighbours of one class are one patch and two polygons; what a later one unlabels is nobody's."""
    squares = around(
        area,
        (50_000, 50_000, 51_000, 51_000),
        (-3000, -3000, 0, 0),
        (0, -3000, 3000, 0),
        (-1000, -2000, -500, -1500),
        (-3000, 0, 0, 3000),
    )
    path = write_polygons(tmp_path, squares, np.array([511, 311, 311, 999, 511], np.int32))
    source = delivery(path, "U2018_CLC2018_V2020_20u1", "Code_18", 2018)
    assets = run(source, area, tmp_path / "out").assets
    raster = {}
    for name, dtype in (("labels", "uint8"), ("confidence", "uint8"), ("polygon", "uint32")):
        assert cog_validate(assets[name].path, quiet=True)[0]
        assert assets[name].fields["data_type"] == dtype
        with rasterio.open(assets[name].path) as image:
            assert (image.dtypes, image.nodata, image.crs.to_string()) == ((dtype,), 0, area.grid.crs)
            assert tuple(image.transform)[:6] == area.grid.transform(10)
            assert "European Environment Agency" in image.tags()["ATTRIBUTION"]
            raster[name] = image.read(1)
    classes, polygon = raster["labels"], raster["polygon"]
    # The one far away is not counted, the one that unlabels is: 1, 2, (3), 4.
    assert {int(n): np.unique(classes[polygon == n]).tolist() for n in np.unique(polygon)} == {
        0: [0], 1: [3], 2: [3], 4: [5],
    }  # fmt: skip
    assert np.array_equal(raster["confidence"], edge_distance(classes))
    assert raster["confidence"].max() > 100
    assert np.array_equal(raster["confidence"] > 0, classes > 0)

    monkeypatch.setattr("services.rasterize.process.STRIP_PX", 300)
    for name, asset in run(source, area, tmp_path / "strips").assets.items():
        assert asset.path.read_bytes() == assets[name].path.read_bytes(), name


def test_unclassified_codes_stay_unlabelled(area: Area, tmp_path: Path) -> None:
    squares = around(area, (-2000, -2000, 2000, 2000), (0, 0, 1000, 1000))
    path = write_polygons(tmp_path, squares, np.array([311, 999], np.int32))
    item = run(delivery(path, "U2018_CLC2018_V2020_20u1", "Code_18", 2018), area, tmp_path / "out")
    assert item.properties["landstream:class_area_m2"]["3"] == pytest.approx(15e6, rel=0.01)


@pytest.mark.parametrize(
    "codes",
    [
        np.array(["311", None, "512", " "], dtype=object),
        np.array([311.0, np.nan, 512.0, np.nan]),
    ],
)
def test_polygons_without_a_code_are_counted_and_label_nothing(codes: np.ndarray, area: Area, tmp_path: Path) -> None:
    squares = around(area, (-2000, -2000, 0, 0), (0, -2000, 2000, 0), (-2000, 0, 0, 2000), (0, 0, 2000, 2000))
    path = tmp_path / "clc18_ro.gpkg"
    write = {"layer": "clc18_ro", "driver": "GPKG", "crs": "EPSG:3035", "geometry_type": "Unknown"}
    pyogrio.raw.write(path, shapely.to_wkb(squares), [codes], ["CODE_18"], **write)
    p = run(delivery(path, "clc18_ro", "CODE_18", 2018), area, tmp_path / "out").properties
    assert (p["landstream:polygons"], p["landstream:uncoded_polygons"], p["landstream:repaired_polygons"]) == (4, 2, 0)
    areas = p["landstream:class_area_m2"]
    assert (areas["3"], areas["5"]) == (pytest.approx(4e6, rel=0.01), pytest.approx(4e6, rel=0.01))
    assert sum(areas.values()) == areas["3"] + areas["5"]


def test_repaired_polygons_are_counted_and_points_are_left_out(area: Area, tmp_path: Path) -> None:
    (square,) = around(area, (-2000, -2000, 2000, 2000))
    west, south, east, north = square.bounds
    eight = shapely.Polygon([(west, south), (east, north), (east, south), (west, north)])
    geometries = shapely.to_wkb(np.array([eight, square.centroid], dtype=object))
    path = tmp_path / "clc18_ro.gpkg"
    write = {"layer": "clc18_ro", "driver": "GPKG", "crs": "EPSG:3035", "geometry_type": "Unknown"}
    pyogrio.raw.write(path, geometries, [np.array([311, 512])], ["CODE_18"], **write)
    p = run(delivery(path, "clc18_ro", "CODE_18", 2018), area, tmp_path / "out").properties
    assert p["landstream:repaired_polygons"] == 1
    assert p["landstream:class_area_m2"]["3"] == pytest.approx(8e6, rel=0.01)
    assert p["landstream:class_area_m2"]["5"] == 0


def test_unknown_class(area: Area, tmp_path: Path) -> None:
    path = write_polygons(tmp_path, around(area, (0, 0, 500, 500)), np.array([777], np.int32))
    with pytest.raises(RejectScene, match=r"777.*unknown.*clc-level1"):
        run(delivery(path, "U2018_CLC2018_V2020_20u1", "Code_18", 2018), area, tmp_path / "out")


def test_a_shapefile_in_an_archive(area: Area, tmp_path: Path) -> None:
    squares = around(area, (0, 0, 1000, 1000))
    write = {"fields": ["CODE_18"], "field_data": [np.array(["211"], dtype=object)], "geometry_type": "Polygon"}
    (tmp_path / "in").mkdir()
    pyogrio.raw.write(
        tmp_path / "in" / "clc18_ro.shp", shapely.to_wkb(squares), driver="ESRI Shapefile", crs="EPSG:3035", **write
    )
    with zipfile.ZipFile(tmp_path / "clc2018_ro.zip", "w") as archive:
        for path in (tmp_path / "in").iterdir():
            archive.write(path, f"data/{path.name}")
    source = delivery(tmp_path / "clc2018_ro.zip", "clc18_ro", "CODE_18", 2018, "data/clc18_ro.shp")
    areas = run(source, area, tmp_path / "out").properties["landstream:class_area_m2"]
    assert areas["2"] == pytest.approx(1e6, rel=0.01)


def test_labels_of_elsewhere(area: Area, tmp_path: Path) -> None:
    path = write_polygons(tmp_path, around(area, (90_000, 0, 91_000, 1000)), np.array([311], np.int32))
    with pytest.raises(RejectScene, match="no pixel"):
        run(delivery(path, "U2018_CLC2018_V2020_20u1", "Code_18", 2018), area, tmp_path / "out")


@dataclass
class Deliveries:
    """Items of several deliveries for the real catalogue."""

    area: Area
    items: list[Item] = field(default_factory=list)

    def add(self, name: str, year: int, campaign: str = "", release: str = "") -> None:
        item = delivery(Path(f"{name}.gpkg"), "l", "a", year).item
        p = dict(item.properties) | {"landstream:campaign": campaign or str(year), "landstream:release": release}
        self.items.append(Item(dict(item.json) | {"properties": p}, "static"))

    def winner(self) -> str:
        catalogue, settings = catalogue_of(self.items, self.area), STAGE.settings()
        planned = [i for i in self.items if plan(i, catalogue, self.area, settings)]
        assert len(planned) == 1
        return planned[0].product


def test_one_winner(area: Area) -> None:
    """Nearest reference year, then newest campaign, release, id; area small wants 2018."""
    found = Deliveries(area)
    found.add("a2012", 2012)
    assert found.winner() == "a2012"
    found.add("b2024", 2024)
    assert found.winner() == "b2024"  # as far away, of a newer campaign
    found.add("c2018", 2018, "2018", "V2018_20")
    assert found.winner() == "c2018"
    found.add("z2018", 2018, "2018", "V2018_20B2")
    assert found.winner() == "c2018", "a beta"
    found.add("y2018", 2018, "2018", "V2020_20_FGDB")
    assert found.winner() == "y2018"
    found.add("d2018", 2018, "2018", "V2020_20U1")
    assert found.winner() == "d2018"
    found.add("e2018", 2018, "2018", "V2020_20U1")
    assert found.winner() == "e2018"


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("file", "layer", "attribute", "year", "member"),
    [
        ("clc2018_mt.gpkg", "clc18_mt", "CODE_18", 2018, ""),
        ("clc2012_mt.gdb.zip", "clc12_MT", "CODE_12", 2012, "clc2012_mt.gdb"),
        ("CLC2024_MT.gdb.zip", "clc24_mt", "code_24", 2024, "CLC2024_MT.gdb"),
        ("CLC2024_MT.gdb.zip", "clc18_mt", "code_18", 2018, "CLC2024_MT.gdb"),
    ],
)
def test_malta(file: str, layer: str, attribute: str, year: int, member: str, data: Path, tmp_path: Path) -> None:
    """Class areas on the islands are those of the polygons; the sea is cut by the grid."""
    fields = {"name": "malta", "aoi": [14.1, 35.78, 14.6, 36.1], "labels": "clc-level3", "label_year": 2018}
    malta = parse_area(fields | {"years": [2018]}, "test")
    path = data / "clc-vector-malta" / file
    item = run(delivery(path, layer, attribute, year, member), malta, tmp_path / "out")
    where = path if not member else f"/vsizip/{path}"
    meta, _, wkb, columns = pyogrio.raw.read(where, layer=layer)
    table = {name.lower(): values for name, values in zip(meta["fields"], columns, strict=True)}
    codes, hectares = table[attribute.lower()], table["area_ha"]
    area_m2 = shapely.area(shapely.from_wkb(wkb))
    areas = item.properties["landstream:class_area_m2"]
    for code in sorted(set(codes) - {"523"}):
        drawn, stated = area_m2[codes == code].sum(), 1e4 * hectares[codes == code].sum()
        # 10 m pixels along the outlines of few polygons; UTM's scale over 100 km is 2 in 10,000
        assert areas[code] == pytest.approx(drawn, rel=2e-3, abs=2500), code
        assert areas[code] == pytest.approx(stated, rel=5e-3, abs=2e4), code
    if file == "clc2018_mt.gpkg":
        assert dict(zip(*np.unique(codes, return_counts=True), strict=True))["112"] == 40
        assert item.properties["landstream:polygons"] == 148


def test_each_point_labels_its_own_pixel(area: Area, tmp_path: Path) -> None:
    """Of LUCAS's table; the later one of two in a pixel, numbers by the order of the delivery."""
    classes = [
        {"code": "B", "name": "Cropland", "color": "#ffff00", "sources": ["B11"]},
        {"code": "C", "name": "Woodland", "color": "#00ff00", "sources": ["C10"]},
    ]
    scheme = {"scheme": "lucas", "attribute": "lc1", "classes": classes, "ignored": ["8"]}
    lucas = parse_area(area.model_dump(mode="json", by_alias=True) | {"labels": scheme}, "test")
    west, _, _, north = lucas.grid.bounds_m
    pixels = [(0, 0, "B11"), (511, 300, "C10"), (512, 300, "B11"), (700, 900, "8"), (40, 41, "B11"), (40, 41, "C10")]
    to_degrees = Transformer.from_crs(lucas.grid.crs, 4326, always_xy=True)
    rows = ["th_long,th_lat,lc1"]
    for row, col, code in pixels:
        longitude, latitude = to_degrees.transform(west + 10 * col + 4.0, north - 10 * row - 7.0)
        rows.append(f"{longitude:.9f},{latitude:.9f},{code}")
    path = tmp_path / "lucas.csv"
    path.write_text("\n".join([*rows, "9.5,45.0,B11", ",,C10"]))
    source = delivery(path, "lucas", "lc1", 2018, source="polygons")
    item = run(source, lucas, tmp_path / "out")
    with rasterio.open(item.assets["labels"].path) as file:
        labels = file.read(1)
    with rasterio.open(item.assets["polygon"].path) as file:
        numbers = file.read(1)
    expected = {(0, 0): (1, 1), (511, 300): (2, 2), (512, 300): (1, 3), (40, 41): (2, 6)}
    assert {(r, c): (labels[r, c], numbers[r, c]) for r, c in np.argwhere(labels)} == expected
    assert not numbers[labels == 0].any()
    assert item.properties["landstream:polygons"] == 6
