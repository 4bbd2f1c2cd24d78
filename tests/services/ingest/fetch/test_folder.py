"""A watched folder: only what is whole is taken."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from services.ingest.fetch.folder import whole_products
from shared.area.source import FolderSource
from simulator.cogs import write_cogs
from tests.products.bad import zip_product


@pytest.fixture
def watched(tmp_path: Path, scene: Path, frame: Path) -> Path:
    """A folder with a product of each kind."""
    folder = tmp_path / "watched"
    folder.mkdir()
    shutil.copytree(frame, folder / frame.name, copy_function=shutil.copy)
    write_cogs(scene, folder, applied=False)
    zip_product(scene, folder / f"{scene.stem}.zip")
    scene.rename(folder / scene.name)
    return folder


def whole(folder: Path, *, later_s: float = 60.0) -> list[str]:
    source = FolderSource(kind="folder", path=str(folder))
    return [path.name for path in whole_products(source, time.time() + later_s)]


def test_whole_products_are_found_by_name(watched: Path) -> None:
    assert whole(watched) == sorted(path.name for path in watched.iterdir())
    assert len(whole(watched)) == 4
    assert whole(watched, later_s=1.0) == [], "somebody may be writing them"


def test_what_is_not_whole_waits(watched: Path) -> None:
    safe, sen3, cog = (next(watched.glob(f"*{end}")) for end in (".SAFE", ".SEN3", ".COG"))
    next(safe.rglob("*B02_10m.jp2")).write_bytes(b"short")
    (sen3 / "xfdumanifest.xml").unlink()
    (cog / "nir.tif").unlink()
    archive = next(watched.glob("*.zip"))
    archive.write_bytes(archive.read_bytes()[:-100])
    assert whole(watched) == []


@pytest.mark.parametrize("name", [".hidden", "notes.txt", "S2A.SAFE", "empty", "readme.zip"])
def test_what_is_no_product_is_left_alone(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "x").write_bytes(b"x")
    assert whole(tmp_path) == []


def test_names_of_unfinished_transfers_and_links_are_left_alone(watched: Path, tmp_path: Path) -> None:
    archive, safe, cog = (next(watched.glob(f"*{end}")) for end in (".zip", ".SAFE", ".COG"))
    archive.rename(archive.with_name(f"{archive.name}.part"))
    outside = tmp_path / "outside"
    safe.rename(outside)
    safe.symlink_to(outside)
    (cog / "more").symlink_to(outside / "manifest.safe")
    assert [Path(name).suffix for name in whole(watched)] == [".SEN3"]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        whole(tmp_path / "nowhere")
