"""Bad products are bad in the one way they claim, and otherwise good."""

from __future__ import annotations

import hashlib
import re
import zipfile
from pathlib import Path

import pyogrio
import pytest
import rasterio
import shapely
from pyproj import Transformer

from simulator.season import plan_season, write_acquisition
from tests.products.bad import KINDS, make_bad
from tests.simulator.conftest import small_site

_ENTRY = re.compile(r'href="\./([^"]+)"[^>]*>\s*<checksum checksumName="SHA3-256">(\w+)<')


def _mismatches(root: Path) -> set[str]:
    entries = _ENTRY.findall((root / "manifest.safe").read_text(encoding="utf-8"))
    assert entries
    return {
        path
        for path, digest in entries
        if not (root / path).is_file() or hashlib.sha3_256((root / path).read_bytes()).hexdigest() != digest
    }


def make_good(why: str, out: Path) -> Path:
    """One product of the simulator's season, over a small square."""
    acquisition = next(a for a in plan_season(2018) if a.why == why)
    return write_acquisition(small_site(), acquisition, out)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_good("late summer", tmp_path_factory.mktemp("safe"))


@pytest.fixture(scope="module")
def frame(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_good("near real time", tmp_path_factory.mktemp("sen3"))


def test_there_are_twelve_kinds() -> None:
    assert len(KINDS) == 12


def test_archives(good: Path, tmp_path: Path) -> None:
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(make_bad("truncated_zip", good, tmp_path))
    with zipfile.ZipFile(make_bad("zip_slip", good, tmp_path)) as archive:
        assert any(".." in name for name in archive.namelist())


@pytest.mark.parametrize(
    ("kind", "wrong"), [("wrong_checksum", 1), ("missing_band", 1), ("entity_bomb", 0), ("wrong_crs", 0)]
)
def test_manifest_tells_or_vouches(good: Path, tmp_path: Path, kind: str, wrong: int) -> None:
    assert len(_mismatches(make_bad(kind, good, tmp_path))) == wrong


def test_corrupt_images_carry_the_right_checksum(good: Path, tmp_path: Path) -> None:
    root = make_bad("vrt_as_jp2", good, tmp_path)
    assert not _mismatches(root)
    assert next(root.rglob("*_B02_10m.jp2")).read_text().startswith("<VRTDataset")
    root = make_bad("corrupt_jp2", good, tmp_path)
    assert not _mismatches(root)
    with (
        pytest.raises(rasterio.errors.RasterioIOError),
        rasterio.open(next(root.rglob("*_B03_10m.jp2")), driver="JP2OpenJPEG") as image,
    ):
        image.read(1)


def test_units_that_are_no_products(good: Path, tmp_path: Path) -> None:
    assert make_bad("not_a_product", good, tmp_path).suffix == ".txt"
    root = make_bad("empty", good, tmp_path)
    assert root.name == good.name
    assert sum(f.stat().st_size for f in root.rglob("*") if f.is_file()) == 0


def test_unknown_classes_lie_under_the_product(good: Path, frame: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.SAFE"
    elsewhere.mkdir()
    (elsewhere / "MTD_MSIL2A.xml").write_text("<EXT_POS_LIST>50 10 50 10.2 49.8 10.2 49.8 10 50 10 </EXT_POS_LIST>")
    for product, place in (
        (good, (24.0, 45.6)),
        (frame, (24.0, 45.6)),
        (elsewhere, (10.1, 49.9)),
    ):
        _, _, (square,), (codes, *_) = pyogrio.raw.read(make_bad("unknown_class", product, tmp_path / "bad"))
        assert codes.tolist() == ["777"]
        middle = shapely.from_wkb(square).centroid
        found = Transformer.from_crs(3035, 4326, always_xy=True).transform(middle.x, middle.y)
        assert found == pytest.approx(place, abs=0.05)


def test_sen3_without_coordinates(good: Path, frame: Path, tmp_path: Path) -> None:
    root = make_bad("sen3_without_coordinates", frame, tmp_path)
    assert not (root / "geo_coordinates.nc").exists()
    assert "./geo_coordinates.nc" not in (root / "xfdumanifest.xml").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="SEN3"):
        make_bad("sen3_without_coordinates", good, tmp_path)


def test_unknown_kinds_and_the_good_product_itself_are_refused(good: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no kind"):
        make_bad("mouldy", good, tmp_path)
    with pytest.raises(ValueError, match="itself"):
        make_bad("missing_band", good, good.parent)
