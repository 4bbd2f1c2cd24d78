"""What `area check` says of products by their names is what becomes of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer

from landstream.verdict import UNKNOWN, verdict, verdict_of
from services.ingest.identify import Product, identify
from services.ingest.members import Limits
from services.ingest.refuse import Incomplete
from services.ingest.stage import IngestSettings
from shared.area import load_area
from shared.stage import RejectScene
from simulator.msi import Lattice
from simulator.olci import observe_olci, swath_over
from simulator.safe import SafeContent, write_l1c, write_l2a
from simulator.safe_names import SafeName
from simulator.sen3 import write_efr
from simulator.sen3_xml import Sen3Name
from simulator.sky import Sun, Weather
from simulator.spectra import S2_RESOLUTION_M
from tests.conftest import AREAS, landstream
from tests.products.bad import reseal

AREA = load_area(AREAS / "small.yaml")
EFR = "S3A_OL_1_EFR____20180626T084702_20180626T084704_20180627T144713_0003_032_272_2160_LN1_O_NT_002.SEN3"
L2A = "S2A_MSIL2A_20180529T092031_N0206_R093_T34TGR_20180529T123138.SAFE"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (L2A, "used: copied"),
        (L2A.replace("T34TGR", "T35TKL") + ".zip", "used: warped from EPSG:32635"),
        (L2A.replace("T34TGR", "T34TFR"), "refused: T34TFR is outside"),
        (L2A.replace("MSIL2A", "MSIL1C"), "registered"),
        (L2A.replace("20180529", "20190529"), "refused: 2019"),
        (L2A.replace("20180529T092031", "20180101T092031"), "used"),
        (L2A.replace("20180529T092031", "20181231T092031"), "refused: 2019 (week 2019-W01) is not in 2018"),
        (L2A.replace("T34TGR", "T33UUU"), "refused: T33UUU is outside"),
        (EFR, "used: OLCI"),
        (EFR.replace("EFR", "ERR").replace("2160", "____"), "registered, refused for the cube"),
        (L2A.replace("T34TGR", "T99XXX"), "refused: 'T99XXX' is not an MGRS tile"),
        (L2A.replace("T34TGR", "T32XMG"), "refused: 'T32XMG' is not an MGRS tile: Svalbard lies in 31X, 33X, 35X, 37X"),
        ("clc2018_mt.GPKG", "read to tell: labels"),
        ("scene.zip", "read to tell: labels, or a product inside"),
        (".directory", "left alone"),
        ("scene.zip.part", "refused: the name of an unfinished"),
        (L2A + ".zip.crdownload", "refused: the name of an unfinished"),
        ("holiday.jpg", "refused: not a product"),
        (L2A + ".tar", "used: copied"),
        (L2A.removesuffix(".SAFE") + ".tar.gz", "used: copied"),
        ("scene.tgz", "read to tell: labels, or a product inside"),
        ("S2A_OPER_PRD_MSIL1C_PDMC_20160605T162121_R050_V20160605T095032_20160605T095032.SAFE", "refused: the long"),
    ],
)
def test_products_are_judged_by_name(name: str, expected: str) -> None:
    assert verdict(name, AREA).startswith(expected)


def test_sensors_and_level_of_the_area_decide() -> None:
    s2 = AREA.model_copy(update={"sensors": ("s2",)})
    olci = AREA.model_copy(update={"sensors": ("olci",)})
    assert verdict(EFR, s2) == "registered, not reprojected: the area's sensors are s2"
    assert verdict(L2A, s2) == "used: copied"
    assert verdict(L2A, olci) == "registered, not masked: the area's sensors are olci"
    assert verdict(EFR, olci).startswith("used")
    l1c = AREA.model_copy(update={"level": "l1c"})
    assert verdict(L2A.replace("MSIL2A", "MSIL1C"), l1c) == "used: copied"
    assert verdict(L2A, l1c).endswith("the area's level is l1c")


def test_an_area_of_norway_takes_the_tiles_of_both_zones() -> None:
    bergen = {
        "name": "bergen",
        "aoi": [5.2, 60.2, 5.6, 60.5],
        "labels": "clc-level1",
        "label_year": 2018,
        "years": [2018],
    }
    area = type(AREA).model_validate(bergen)
    assert area.grid.epsg == 32632
    assert verdict(L2A.replace("T34TGR", "T32VKM"), area) == "used: copied"
    assert verdict(L2A.replace("T34TGR", "T31VFG"), area) == "used: warped from EPSG:32631"
    assert verdict(L2A.replace("T34TGR", "T32VPM"), area).startswith("refused")


def test_of_what_is_there_it_is_seen_what_it_is(tmp_path: Path) -> None:
    (tmp_path / L2A).mkdir()
    assert verdict_of(tmp_path / L2A, AREA) == "refused: incomplete, manifest.safe is missing"
    (tmp_path / L2A / "manifest.safe").touch()
    assert verdict_of(tmp_path / L2A, AREA) == "used: copied"
    (tmp_path / EFR).write_text("a note")
    assert verdict_of(tmp_path / EFR, AREA).startswith("refused: a product is a folder, a .zip or a .tar")


STEM = L2A.removesuffix(".SAFE")
OLCI = EFR.removesuffix(".SEN3")
GOOD = (STEM, L2A, f"{STEM.replace('L2A', 'L1C')}.safe", OLCI, EFR, OLCI.replace("2160", "____"))
BAD = (
    "S2A_MSIL2A_20180529T092031_junk_junk_T34TGR.SAFE",
    "S2A_MSIL2A_20180529T092031_N0206_R093_T34TGR.SAFE",
    "S2A_MSIL2B_20180529T092031_N0206_R093_T34TGR_20180529T123138.SAFE",
    "S2A_MSIL1B_20180529T092031_N0206_R093_T34TGR_20180529T123138.SAFE",
    "S2A_MSIL2A_20181329T092031_N0206_R093_T34TGR_20180529T123138.SAFE",
    f"{STEM}_copy.SAFE",
    f"{STEM} (1).SAFE",
    f"x{STEM}.SAFE",
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


@given(st.sampled_from([L2A, EFR]), st.integers(0, 100), st.sampled_from(["", "_", "0", "9", "A", "T"]))
def test_they_agree_on_every_name_that_is_almost_one(
    tmp_path_factory: pytest.TempPathFactory, name: str, place: int, character: str
) -> None:
    almost = name[: place % len(name)] + character + name[place % len(name) + 1 :]
    folder = tmp_path_factory.getbasetemp() / "almost"
    folder.mkdir(exist_ok=True)
    assert (verdict(almost, AREA) != UNKNOWN) == taken_by_ingest(almost, folder)


START = datetime(2018, 8, 1, 9, 20, 31, 24000, tzinfo=UTC)
ROWS, COLUMNS = 120, 180


def scene(out: Path, day: int, tile: str = "T34TGR", level: str = "L2A", baseline: str = "0208") -> Path:
    """A small product, in the middle of the area, or 300 km into the zone of a tile elsewhere."""
    start = START + timedelta(days=day)
    name = SafeName("S2A", level, start, baseline, 93, 15420 + day % 100, tile, start + timedelta(hours=3))
    epsg = 32600 + int(tile[1:3])
    x, y = Transformer.from_crs(4326, epsg, always_xy=True).transform(23.995, 45.945)
    if tile == "T33UUU":
        x, y = 330_000, 5_822_040
    lattice = Lattice(epsg, round(x / 60) * 60 - 900, round(y / 60) * 60 + 600, ROWS, COLUMNS)
    rng = np.random.default_rng(day)
    dn = {
        band: rng.integers(1, 9000, (ROWS * 10 // m, COLUMNS * 10 // m)).astype(np.uint16)
        for band, m in S2_RESOLUTION_M.items()
        if band != "B10" or level == "L1C"
    }
    half = (ROWS // 2, COLUMNS // 2)
    content = SafeContent(lattice, dn, Sun(30.0, 150.0), np.full(half, 4, np.uint8), np.zeros(half, np.uint8))
    return (write_l2a if level == "L2A" else write_l1c)(out, name, content)


def frame(out: Path, day: int, reduced: bool = False) -> Path:
    """A small frame over the area; `reduced` calls it one of reduced resolution."""
    start = datetime(2018, 8, 15, 8, 47, 2, 24000, tzinfo=UTC) + timedelta(days=day)
    name = Sen3Name(
        "S3A", start, start + timedelta(seconds=10), start + timedelta(days=1), 34, 93 + day, 1980, "NT", "003"
    )
    product = write_efr(out, name, observe_olci(1, swath_over(23.99, 45.94, 12000, start), Weather(3, 0.3), 5))
    if not reduced:
        return product
    manifest = product / "xfdumanifest.xml"
    manifest.write_text(manifest.read_text().replace("OL_1_EFR", "OL_1_ERR"))
    return product.rename(product.with_name(product.name.replace("_EFR_", "_ERR_")))


def pilot(out: Path, day: int) -> Path:
    """A product of the pilot of 2017, whose type was S2MSI2Ap."""
    product = scene(out, day)
    metadata = product / "MTD_MSIL2A.xml"
    metadata.write_text(metadata.read_text().replace("<PRODUCT_TYPE>S2MSI2A<", "<PRODUCT_TYPE>S2MSI2Ap<"))
    assert "S2MSI2Ap" in metadata.read_text()
    reseal(product)
    return product


def unfinished(out: Path, name: str) -> Path:
    """A file that a browser has not loaded whole."""
    path = out / name
    path.write_bytes(b"PK\x03\x04")
    return path


def without_manifest(out: Path, day: int) -> Path:
    """A product whose manifest is missing."""
    product = scene(out, day)
    (product / "manifest.safe").unlink()
    return product


def outcome(store: Path, unit: str) -> str:
    """What became of a unit, in the words with which verdicts begin."""
    stem = unit.removesuffix(".SAFE").removesuffix(".SEN3")
    reached = {p.parts[-3] for p in store.glob(f"items/*/*/{stem}--*.json")}
    failed = {p.parent.name for p in store.glob("failures/*/*.json") if stem in p.read_text()}
    if not reached:
        assert "ingest" in failed, unit
        return "refused"
    if "cube-updates" in reached:
        return "used"
    if failed:
        return "registered, refused for the cube"
    if "cloud-masks" in reached:
        return "registered and masked, not tiled"
    return "registered, not reprojected" if "sentinel-3-olci-l1b" in reached else "registered, not masked"


def run(area: Path, store: Path, products: list[Path]) -> None:
    """Run the stream over some products; without labels nothing is trained."""
    result = landstream("run", "--area", area, "--store", store, "--once", *products, check=False)
    assert result.returncode in {0, 3}, result.stderr  # 3: some products failed


def test_verdicts_are_what_the_stream_does(tmp_path: Path) -> None:
    given_ = tmp_path / "given"
    given_.mkdir()
    products = [
        scene(given_, 0),
        scene(given_, 1, "T35TKL"),
        scene(given_, 2, level="L1C"),
        scene(given_, 365),
        scene(given_, 3, "T33UUU"),
        pilot(given_, 4),
        without_manifest(given_, 5),
        frame(given_, 0),
        frame(given_, 1, reduced=True),
        unfinished(given_, f"{scene(tmp_path / 'other', 6).name}.zip.part"),
        unfinished(given_, "holiday.jpg"),
    ]
    run(AREAS / "small.yaml", tmp_path / "store", products)
    said = {p.name: verdict_of(p, AREA) for p in products}
    became = {p.name: outcome(tmp_path / "store", p.name) for p in products}
    assert {name: said[name].startswith(became[name]) for name in said} == dict.fromkeys(said, True), (said, became)
    assert sorted(became.values()).count("used") == 4

    only = tmp_path / "only.yaml"
    only.write_text((AREAS / "small.yaml").read_text() + "sensors: [olci]\n")
    some = [products[0], products[7]]
    run(only, tmp_path / "only", some)
    area = load_area(only)
    assert [outcome(tmp_path / "only", p.name) for p in some] == ["registered, not masked", "used"]
    assert [verdict_of(p, area) for p in some] == [
        "registered, not masked: the area's sensors are olci",
        "used: OLCI, where the frame covers the area",
    ]
