"""Names, outlines and the metadata of real products."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import shapely

from services.ingest.check_image import check_image
from services.ingest.names import SafeName, Sen3Name, parse_label, parse_product, year_of_field
from services.ingest.outline import crop
from services.ingest.read_safe import metadata_file, read_facts
from services.ingest.read_xml import all_below, parse
from services.ingest.verify import read_manifest
from shared.geo.outline import bbox
from shared.raster.grid import Lattice
from shared.stage import NewItem, RejectScene

from .conftest import make_area


def test_product_names() -> None:
    safe = parse_product("S2A_MSIL2A_20230821T221941_N0509_R029_T01KAB_20230822T021825.SAFE.zip")
    assert isinstance(safe, SafeName)
    assert (safe.level, safe.baseline, safe.relative_orbit, safe.mgrs_tile) == ("L2A", "0509", 29, "T01KAB")
    sen3 = parse_product(
        "S3B_OL_1_ERR____20210831T200148_20210831T204600_20210902T011514_2652_056_242______LN1_O_NT_002.SEN3"
    )
    assert isinstance(sen3, Sen3Name)
    assert (sen3.product_type, sen3.frame, sen3.collection) == ("ERR", "____", "002")
    assert sen3.scene == "S3B_ERR_056_242_20210831T200148"
    for name in ("holiday.txt", "S2A_MSIL2A_20231321T221941_N0509_R029_T01KAB_20230822T021825.SAFE", ""):
        assert parse_product(name) is None


def test_frame_numbers_waver_by_one() -> None:
    """Numbers of real products of 2016 and 2017, and of the same frames processed again."""

    def scene(frame: str) -> str:
        start = "S3A_OL_1_EFR____20170520T095410_20170520T095710_20170521T141215_0179_018_022"
        name = parse_product(f"{start}_{frame}_LN1_O_NT_002.SEN3")
        assert isinstance(name, Sen3Name)
        assert name.frame == frame
        return name.scene

    assert {scene(f) for f in ("2159", "2160", "2161")} == {"S3A_EFR_018_022_2160"}
    assert scene("2339") == scene("2340") != scene("2160")
    assert scene("0001") == scene("0000") == "S3A_EFR_018_022_0000"
    assert scene("2158").endswith("_2158"), "two off is another frame"


@pytest.mark.parametrize(
    ("name", "product", "year", "campaign", "release"),
    [
        ("U2018_CLC2018_V2020_20u1.gpkg", "U2018_CLC2018_V2020_20u1", 2018, "2018", "V2020_20U1"),
        ("U2018_CLC2012_V2020_20u1_FR_GLP.gpkg", "U2018_CLC2012_V2020_20u1_FR_GLP", 2012, "2018", "V2020_20U1"),
        ("u2018_clc2018_v2020_20_fgdb.zip", "u2018_clc2018_v2020_20_fgdb", 2018, "2018", "V2020_20"),
        ("u2018_clc2018_v2020_20b2_geoPackage.zip", "u2018_clc2018_v2020_20b2_geoPackage", 2018, "2018", "V2020_20B2"),
        ("U2000_CLC1990_V2020_20u1 (1).zip", "U2000_CLC1990_V2020_20u1_1", 1990, "2000", "V2020_20U1"),
        ("CLC2018_CLC2012_V2018_20.gpkg", "CLC2018_CLC2012_V2018_20", 2012, "2018", "V2018_20"),
        ("clc2018_cha1218_V2018.20.zip", "clc2018_cha1218_V2018.20", 2018, "2018", "V2018_20"),
        ("CLC2024_MT.gdb.zip", "CLC2024_MT", 2024, "2024", ""),
        ("clc2012_mt.gdb.zip", "clc2012_mt", 2012, "2012", ""),
        ("g100_clc12_V18_5.tif", "g100_clc12_V18_5", 2012, "2012", "V18_5"),
        ("CLC06_Version18_5.gdb", "CLC06_Version18_5", 2006, "2006", "V18_5"),
        ("clc90_mt.gpkg", "clc90_mt", 1990, "1990", ""),
        ("osm landuse (Wälder).gpkg", "osm_landuse_W_lder", None, "", ""),
    ],
)
def test_label_names(name: str, product: str, year: int | None, campaign: str, release: str) -> None:
    label = parse_label(name)
    assert (label.product, label.reference_year) == (product, year)
    assert (label.campaign, label.release) == (campaign, release)


def test_years_of_fields() -> None:
    fields = {"CODE_18": 2018, "code_90": 1990, "Code_00": 2000, "clc06_MT": 2006, "fclass": None}
    assert {f: year_of_field(f) for f in fields} == fields


def test_crop_keeps_what_the_images_hold() -> None:
    whole, half = shapely.box(0, 0, 1, 1), shapely.box(0, 0, 0.5, 1)
    assert crop(whole, shapely.box(-0.001, -0.001, 1, 1)) == whole
    assert crop(whole, half).equals(half)
    with pytest.raises(ValueError, match="touch"):
        crop(whole, shapely.box(5, 5, 6, 6))


REAL = {
    "S2A_MSIL2A_20190212T192651_N0212_R013_T07HFE_20201007T160857": (0, 51.6, 32707),
    "S2B_MSIL2A_20210122T133229_N0214_R081_T22HBD_20210122T155500": (0, 0.45, 32722),
    "S2B_MSIL2A_20220413T150759_N0400_R025_T33XWJ_20220414T082126": (-1000, 98.9, 32633),
    "S2A_MSIL2A_20230821T221941_N0509_R029_T01KAB_20230822T021825": (-1000, 59.1, 32701),
    "S2A_MSIL1C_20180101T105441_N0206_R051_T31TDH_20180101T124911": (0, None, 32631),
}


@pytest.mark.realdata
@pytest.mark.parametrize("product", REAL)
def test_real_metadata(product: str, data: Path) -> None:
    root = data / "s2-safe-metadata" / f"{product}.SAFE"
    name = parse_product(product)
    assert isinstance(name, SafeName)
    listed = [e.text for e in all_below(parse(root / metadata_file(name.level)), "IMAGE_FILE")]
    here = [p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()]
    files = [f"{path}.jp2" for path in listed] + here
    offset, clouds, epsg = REAL[product]
    if "ESRI" in (root / metadata_file(name.level)).read_text():
        with pytest.raises(RejectScene, match="GeoTIFF"):
            read_facts(root, name, files)
        return
    facts = read_facts(root, name, files)
    assert set(facts.offsets.values()) == {offset}
    assert facts.quantification == 10000
    assert facts.epsg == epsg
    if clouds is not None:
        assert facts.cloud_cover == pytest.approx(clouds, abs=0.06)
    west, _, east, _ = bbox(facts.footprint)
    assert (east - west) % 360 < 2


@pytest.mark.realdata
def test_real_manifests(data: Path) -> None:
    counts = {p.parent.name[:10]: len(read_manifest(p)) for p in (data / "s2-safe-metadata").glob("*/manifest.safe")}
    assert min(counts.values()) > 40
    for path in (data / "s3-olci-sen3-metadata").glob("*/xfdumanifest.xml"):
        assert "geo_coordinates.nc" in read_manifest(path)


@pytest.mark.realdata
def test_real_image(data: Path) -> None:
    path = next((data / "s2-safe-metadata").glob("*L1C*/GRANULE/*/IMG_DATA/*_B01.jp2"))
    found = check_image(path, path.name, 60, "uint16", decode=True, threads=2)
    assert found == Lattice("EPSG:32631", 399960, 4800000, 60, (1830, 1830))


@pytest.mark.realdata
def test_empty_frames_are_refused(data: Path, ingest: Callable[..., NewItem]) -> None:
    """Real manifests, but netCDF files without a variable: their sizes differ from the manifest's."""
    for path in (data / "s3-olci-sen3-metadata").glob("*.SEN3"):
        with pytest.raises(RejectScene, match=r"has \d+ of \d+ bytes"):
            ingest(path, make_area([10, 50, 10.1, 50.1], [2021]))


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("file", "label_year", "layer", "attribute", "year", "member"),
    [
        ("clc2018_mt.gpkg", 2018, "clc18_mt", "CODE_18", 2018, ""),
        ("clc2018_mt.gpkg", 2000, "clc12_mt", "CODE_12", 2012, ""),
        ("clc2012_mt.gdb.zip", 2018, "clc12_MT", "CODE_12", 2012, "clc2012_mt.gdb"),
        ("clc2012_mt.gdb.zip", 2006, "clc06_MT", "CODE_06", 2006, "clc2012_mt.gdb"),
        ("CLC2024_MT.gdb.zip", 2018, "clc18_mt", "code_18", 2018, "CLC2024_MT.gdb"),
        ("CLC2024_MT.gdb.zip", 2024, "clc24_mt", "code_24", 2024, "CLC2024_MT.gdb"),
    ],
)
def test_malta(
    file: str,
    label_year: int,
    layer: str,
    attribute: str,
    year: int,
    member: str,
    data: Path,
    ingest: Callable[..., NewItem],
) -> None:
    malta = make_area([14.1, 35.78, 14.6, 36.1], [2018], label_year=label_year)
    item = ingest(data / "clc-vector-malta" / file, malta)
    p = item.properties
    assert (p["landstream:layer"], p["landstream:attribute"]) == (layer, attribute)
    assert (p["landstream:reference_year"], p["landstream:member"]) == (year, member)
    assert p["landstream:label_source"] == "clc"


@pytest.mark.realdata
def test_osm(data: Path, ingest: Callable[..., NewItem]) -> None:
    names = ("forest", "farm", "meadow", "grass", "scrub", "wetland", "water", "residential")
    classes = [{"code": str(n), "name": name, "color": "#000000", "sources": [name]} for n, name in enumerate(names)]
    scheme = {"scheme": "osm", "attribute": "fclass", "classes": classes}
    area = make_area([12.5, 52.46, 12.7, 52.52], [2017], scheme, 2017)
    p = ingest(data / "s2-l1c-brandenburg-t33uuu" / "osm_landuse_water.gpkg", area).properties
    assert (p["landstream:label_source"], p["landstream:reference_year"]) == ("polygons", 2017)
