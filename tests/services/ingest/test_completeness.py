"""A product that is still arriving is told from its listing and its manifest alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from services.ingest.completeness import why_incomplete
from services.ingest.read_xml import MAX_BYTES
from shared.items.landing import LandingObject, LandingUnit
from tests.services.ingest.conftest import unit_of


def reader(path: Path) -> tuple[Callable[[str], bytes], list[str]]:
    """Reads the product's files, and what it read."""
    read: list[str] = []

    def get(relative: str) -> bytes:
        read.append(relative)
        return (path / relative).read_bytes()

    return get, read


def said(path: Path) -> str | None:
    return why_incomplete(unit_of(path), reader(path)[0])


def test_a_whole_product(scene: Path, frame: Path) -> None:
    for path, manifest in ((scene, "manifest.safe"), (frame, "xfdumanifest.xml")):
        read, files = reader(path)
        assert why_incomplete(unit_of(path), read) is None
        assert files == [manifest]


def test_a_file_that_is_not_there_yet(scene: Path, frame: Path) -> None:
    image = next(scene.rglob("*_B02_*.jp2"))
    image.unlink()
    assert said(scene) == f"57 of 58 files are there ({image.relative_to(scene).as_posix()}: is missing)"
    unit = unit_of(frame)
    lacking = LandingUnit(unit.name, tuple(o for o in unit.objects if o.path != "Oa01_radiance.nc"), unit.modified_s)
    said_of_frame = why_incomplete(lacking, reader(frame)[0])
    assert said_of_frame == "49 of 50 files are there (Oa01_radiance.nc: is missing)"


def test_several_files(scene: Path) -> None:
    for image in scene.rglob("*_B0[234]_*.jp2"):
        image.unlink()
    assert "more files of the manifest" in (said(scene) or "")


def test_a_file_that_is_still_short(scene: Path) -> None:
    image = next(scene.rglob("*_B02_*.jp2"))
    size = image.stat().st_size
    image.write_bytes(image.read_bytes()[:-1])
    short = f"{image.relative_to(scene).as_posix()}: has {size - 1} of {size} bytes"
    assert said(scene) == f"57 of 58 files are there ({short})"


def test_a_file_that_is_too_long_takes_a_closer_look(scene: Path) -> None:
    image = next(scene.rglob("*_B02_*.jp2"))
    image.write_bytes(image.read_bytes() + b"x")
    assert said(scene) is None


def test_no_manifest_yet(scene: Path, frame: Path) -> None:
    (scene / "manifest.safe").unlink()
    assert said(scene) == "manifest.safe: is missing"
    unit = unit_of(frame)
    lacking = LandingUnit(unit.name, tuple(o for o in unit.objects if o.path != "xfdumanifest.xml"))
    assert why_incomplete(lacking, reader(frame)[0]) == "xfdumanifest.xml: is missing"


@pytest.mark.parametrize("text", [b"", b"<xfdu", b"no XML"])
def test_a_manifest_that_is_being_written(scene: Path, text: bytes) -> None:
    (scene / "manifest.safe").write_bytes(text)
    assert (said(scene) or "").startswith("manifest.safe: is ")


ENTRY = '<x><byteStream size="1"><fileLocation href="{}"/></byteStream></x>'
BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>'


@pytest.mark.parametrize(
    "text",
    [
        ENTRY.format("../../../etc/passwd"),
        ENTRY.format("/etc/passwd"),
        ENTRY.format("C:/x"),
        BOMB,
        "<x/>",
        '<x><byteStream size="1"><fileLocation href="a"/><checksum checksumName="ROT13">0</checksum></byteStream></x>',
    ],
)
def test_a_hostile_manifest_is_left_to_ingest_itself(scene: Path, text: str) -> None:
    (scene / "manifest.safe").write_text(text)
    assert said(scene) is None


def test_a_huge_manifest_is_not_read(scene: Path) -> None:
    unit = unit_of(scene)
    sizes = {"manifest.safe": MAX_BYTES + 1}
    huge = LandingUnit(unit.name, tuple(LandingObject(o.path, sizes.get(o.path, o.size), "") for o in unit.objects))
    read, files = reader(scene)
    assert why_incomplete(huge, read) is None
    assert files == []


@pytest.mark.parametrize("name", ["holidays", "S2A_MSIL2A_nonsense.SAFE", "U2018_CLC2018_V2020_20u1.gpkg"])
def test_what_is_no_product_is_left_to_ingest_itself(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "a.txt").write_text("1")
    read, files = reader(tmp_path / name)
    assert why_incomplete(unit_of(tmp_path / name), read) is None
    assert files == []


def test_an_archive_is_not_looked_into(scene: Path) -> None:
    unit = LandingUnit(f"{scene.stem}.zip", (LandingObject("", 1000, ""),))
    assert why_incomplete(unit, reader(scene)[0]) is None
