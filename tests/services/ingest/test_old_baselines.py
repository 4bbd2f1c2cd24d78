"""The official L2A products of 2017 and 2018, each in the clothes of its baseline."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from services.ingest.completeness import why_incomplete
from services.ingest.fetch.network.manifest import require_stated
from services.ingest.verify import read_manifest
from shared.stage import NewItem, RejectScene
from tests.products.bad import reseal
from tests.products.old import NODE, make_pilot, name_the_node, split_the_list
from tests.services.ingest.conftest import unit_of, write_scene

Run = Callable[..., NewItem]


@pytest.fixture(scope="module")
def _old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scene(tmp_path_factory.mktemp("old"), baseline="0207")


@pytest.fixture
def old(_old: Path, tmp_path: Path) -> Path:
    """A good product of before baseline 04.00 that a test may dress."""
    return Path(shutil.copytree(_old, tmp_path / _old.name))


def assert_same(dressed: NewItem, plain: NewItem) -> None:
    assert dressed.properties == plain.properties
    assert dressed.geometry == plain.geometry
    assert set(dressed.assets) == set(plain.assets)
    for name in (n for n in plain.assets if n[0] in "BS"):
        assert dressed.assets[name].path.read_bytes() == plain.assets[name].path.read_bytes()


@pytest.mark.parametrize(
    "dress",
    [
        name_the_node,
        lambda root: name_the_node(root, ("GRANULE", "DATASTRIP")),
        split_the_list,
        make_pilot,
        lambda root: split_the_list(name_the_node(root)),
        lambda root: make_pilot(split_the_list(root)),
    ],
    ids=["node", "node-datastrip", "three-lists", "pilot", "node-and-lists", "pilot-of-three-lists"],
)
def test_each_is_read_as_the_product_that_it_is(dress: Callable[[Path], Path], ingest: Run, old: Path) -> None:
    plain = ingest(old)
    assert set(plain.properties["landstream:offsets"].values()) == {0}
    assert plain.properties["landstream:quantification"] == 10000
    assert_same(ingest(dress(old)), plain)


def test_files_that_the_node_named_are_waited_for_and_compared(ingest: Run, old: Path) -> None:
    name_the_node(old)
    image = next(old.glob("GRANULE/*/IMG_DATA/R10m/*_B02_10m.jp2"))
    whole, relative = image.read_bytes(), image.relative_to(old).as_posix()
    image.unlink()
    assert f"{relative}: is missing" in (why_incomplete(unit_of(old), lambda p: (old / p).read_bytes()) or "")
    image.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(RejectScene, match=r"B02_10m.*checksum"):
        ingest(old)


def test_what_is_fetched_file_by_file_may_name_the_node(old: Path) -> None:
    name_the_node(old)
    require_stated(old, old.name, {p.relative_to(old).as_posix(): p.stat().st_size for p in old.rglob("*.*")})
    assert len(list(old.rglob("*.jp2"))) > 30


@pytest.mark.parametrize(
    "href",
    [
        f"{NODE}/GRANULE/../../../etc/passwd",
        f"{NODE}/GRANULE//x",
        f"{NODE}/granule/x",
        "../GRANULE/x",
        "/etc/passwd",
        "C:/GRANULE/x",
        "file:///GRANULE/x",
        "/GRANULE/",
        "/GRANULE/a\\..\\b",
    ],
)
def test_the_checks_of_paths_stay(href: str, old: Path) -> None:
    manifest = old / "manifest.safe"
    manifest.write_text(manifest.read_text().replace("./INSPIRE.xml", href, 1))
    with pytest.raises(RejectScene, match="unsafe path"):
        read_manifest(manifest)


def test_another_manifest_names_no_node(frame: Path, tmp_path: Path) -> None:
    manifest = Path(shutil.copy(frame / "xfdumanifest.xml", tmp_path))
    manifest.write_text(manifest.read_text().replace("./Oa01_radiance.nc", f"{NODE}/GRANULE/Oa01_radiance.nc", 1))
    with pytest.raises(RejectScene, match="unsafe path"):
        read_manifest(manifest)


def spoil(root: Path, before: str, after: str) -> None:
    path = root / "MTD_MSIL2A.xml"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    reseal(root)


def test_lists_of_two_granules_are_refused(ingest: Run, old: Path) -> None:
    split_the_list(old)
    spoil(old, 'granuleIdentifier="', 'granuleIdentifier="X')
    with pytest.raises(RejectScene, match="lists 2 granules, not one"):
        ingest(old)


def test_images_of_two_granules_are_refused(ingest: Run, old: Path) -> None:
    granule = next(old.glob("GRANULE/*"))
    other = granule.with_name("L2A_T34TGR_A015421_20180605T092034")
    shutil.copytree(granule, other)
    band = next(other.rglob("*_B05_20m.jp2")).relative_to(old).with_suffix("").as_posix()
    spoil(old, band.replace(other.name, granule.name), band)
    with pytest.raises(RejectScene, match="lists images of 2 granules, not one"):
        ingest(old)


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("_20180605T120000.SAFE</PRODUCT_URI_2A>", "_20190101T000000.SAFE</PRODUCT_URI_2A>", "PRODUCT_URI"),
        ('QUANTIFICATION_VALUE unit="none">10000', 'QUANTIFICATION_VALUE unit="none">0', "quantification"),
        ("<IMAGE_FILE_2A>GRANULE", "<IMAGE_FILE_2A>../GRANULE", "unsafe path"),
    ],
)
def test_contradictions_of_a_pilot_product(before: str, after: str, fault: str, ingest: Run, old: Path) -> None:
    spoil(make_pilot(old), before, after)
    with pytest.raises(RejectScene, match=fault):
        ingest(old)
