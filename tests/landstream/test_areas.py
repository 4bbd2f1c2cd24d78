"""`landstream area`: files that it writes are read back, products are judged by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landstream.areas import UNKNOWN, verdict
from services.ingest.identify import Product, identify
from services.ingest.refuse import Incomplete
from services.ingest.stage import IngestSettings
from services.ingest.unpack import Limits
from shared.area import load_area
from shared.stage import RejectScene
from tests.conftest import AREAS, landstream

AREA = load_area(AREAS / "small.yaml")


def test_new_writes_a_commented_file_that_is_good(tmp_path: Path) -> None:
    path = tmp_path / "sibiu.yaml"
    arguments = ("--aoi", "23.9,45.7,24.3,45.9", "--year", 2018, "--labels", "clc-vegetation-8", "--out", path)
    assert "10 x 13 tiles in EPSG:32635" in landstream("area", "new", "sibiu", *arguments).stdout
    area = load_area(path)
    assert (area.grid.epsg, area.grid.rows, area.grid.cols, area.years) == (32635, 10, 13, (2018,))
    assert area.labels.scheme == "clc-vegetation-8"
    assert area.policy == type(area.policy)()
    text = path.read_text()
    assert "T34TGR, T35TKL" in text
    assert "MB for each week" in text
    assert "exists" in landstream("area", "new", "sibiu", *arguments, check=False).stderr


def test_new_reads_geojson(tmp_path: Path) -> None:
    triangle = {"type": "Polygon", "coordinates": [[[23.9, 45.7], [24.3, 45.7], [24.1, 45.9], [23.9, 45.7]]]}
    (tmp_path / "aoi.json").write_text(json.dumps({"type": "Feature", "properties": {}, "geometry": triangle}))
    arguments = ("--aoi", tmp_path / "aoi.json", "--year", 2018, "--out", tmp_path / "a.yaml")
    landstream("area", "new", "triangle", *arguments)
    assert load_area(tmp_path / "a.yaml").polygon.area == pytest.approx(0.04)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--aoi", "25,45,24,46"), "not west, south, east, north"),
        (("--aoi", "a,b,c,d"), "not W,S,E,N"),
        (("--aoi", "absent.json"), "neither W,S,E,N nor a GeoJSON file"),
        (("--aoi", "23.9,45.7,24.3,45.9", "--labels", "nonsense"), "not a label scheme"),
    ],
)
def test_new_refuses_in_one_line(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    result = landstream("area", "new", "x", "--year", 2018, "--out", tmp_path / "x.yaml", *arguments, check=False)
    assert result.returncode == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "x.yaml").exists()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("S2A_MSIL2A_20180529T092031_N0206_R093_T34TGR_20180529T123138.SAFE", "used: copied"),
        ("S2A_MSIL2A_20180529T092031_N0206_R093_T35TKL_20180529T123138.SAFE.zip", "used: warped from EPSG:32635"),
        ("S2A_MSIL1C_20180529T092031_N0206_R093_T34TGR_20180529T123138.SAFE", "registered and masked, not tiled"),
        ("S2A_MSIL2A_20190529T092031_N0206_R093_T34TGR_20190529T123138.SAFE", "refused: 2019"),
        ("S2A_MSIL2A_20180529T092031_N0206_R093_T33UUU_20180529T123138.SAFE", "refused: T33UUU is outside"),
        ("S3A_OL_1_EFR____20180626T084702_20180626T084704_20180627T144713_0003_032_272_2160_LN1_O_NT_002.SEN3", "used"),
        (
            "S3A_OL_1_ERR____20180626T084702_20180626T084704_20180627T144713_0003_032_272______LN1_O_NT_002.SEN3",
            "registered, refused for the cube",
        ),
        ("S2A_MSIL2A_20180529T092031_N0206_R093_T99XXX_20180529T123138.SAFE", "refused: 'T99XXX' is not an MGRS tile"),
        ("clc2018_mt.GPKG", "read to tell: labels"),
        ("scene.zip", "read to tell: labels, or a product inside"),
        (".directory", "left alone"),
        ("scene.zip.part", "refused: the name of an unfinished"),
        ("holiday.jpg", "refused: not a product"),
    ],
)
def test_products_are_judged_by_name(name: str, expected: str) -> None:
    assert verdict(name, AREA).startswith(expected)


S2 = "S2A_MSIL2A_20180529T092031_N0206_R093_T34TGR_20180529T123138"
OLCI = "S3A_OL_1_EFR____20180626T084702_20180626T084704_20180627T144713_0003_032_272_2160_LN1_O_NT_002"
GOOD = (S2, f"{S2}.SAFE", f"{S2.replace('L2A', 'L1C')}.safe", OLCI, f"{OLCI}.SEN3", OLCI.replace("2160", "____"))
BAD = (
    "S2A_MSIL2A_20180529T092031_junk_junk_T34TGR.SAFE",
    "S2A_MSIL2A_20180529T092031_N0206_R093_T34TGR.SAFE",
    "S2E_MSIL2A_20180529T092031_N0206_R093_T34TGR_20180529T123138.SAFE",
    "S2A_MSIL1B_20180529T092031_N0206_R093_T34TGR_20180529T123138.SAFE",
    "S2A_MSIL2A_20181329T092031_N0206_R093_T34TGR_20180529T123138.SAFE",
    f"{S2}_copy.SAFE",
    f"{S2} (1).SAFE",
    f"x{S2}.SAFE",
    OLCI.replace("_OL_1_EFR_", "_OL_2_LFR_"),
    OLCI.replace("EFR____20180626", "EFR____2018junk"),
    OLCI[:-4],
    "holiday",
)


def taken_by_ingest(name: str, folder: Path) -> bool:
    """Whether ingest takes a folder of this name for a product."""
    path = folder / name
    path.mkdir(exist_ok=True)
    (path / "manifest.safe").touch()
    settings = IngestSettings()
    limits = Limits(settings.max_members, settings.max_bytes, settings.max_ratio)
    try:
        return isinstance(identify(path, name, ["manifest.safe"], folder / "unpacked", limits), Product)
    except (RejectScene, Incomplete):
        return False


@pytest.mark.parametrize("name", [*GOOD, *BAD])
def test_area_check_and_ingest_agree_on_names(name: str, tmp_path: Path) -> None:
    taken = taken_by_ingest(name, tmp_path)
    assert taken == (name in GOOD)
    assert (verdict(name, AREA) != UNKNOWN) == taken


@given(
    st.sampled_from([S2 + ".SAFE", OLCI + ".SEN3"]), st.integers(0, 100), st.sampled_from(["", "_", "0", "9", "A", "T"])
)
def test_they_agree_on_every_name_that_is_almost_one(
    tmp_path_factory: pytest.TempPathFactory, name: str, place: int, character: str
) -> None:
    almost = name[: place % len(name)] + character + name[place % len(name) + 1 :]
    folder = tmp_path_factory.getbasetemp() / "almost"
    folder.mkdir(exist_ok=True)
    assert (verdict(almost, AREA) != UNKNOWN) == taken_by_ingest(almost, folder)
