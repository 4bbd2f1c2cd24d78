"""A watched folder: only what is whole is taken."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from threading import Event

import pytest

from services.ingest.fetch import watched as watched_module
from services.ingest.fetch.providers import folder as module
from services.ingest.fetch.providers.folder import whole_products
from services.ingest.fetch.watched import Watched
from shared.area.source import FolderSource
from shared.store import FolderStore
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
    return [path.name for path, _ in whole_products(source, time.time() + later_s)]


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


def test_what_is_known_is_not_read_again_until_anything_of_it_changes(
    watched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = FolderSource(kind="folder", path=str(watched))
    known = {path.name: state for path, state in whole_products(source, time.time() + 60)}
    assert len(known) == 4
    with monkeypatch.context() as patched:
        patched.setattr(module, "why_incomplete", None)
        patched.setattr(module, "zipfile", None)
        assert list(whole_products(source, time.time() + 60, known=known)) == []
    safe, archive = next(watched.glob("*.SAFE")), next(watched.glob("*.zip"))
    deep = next(safe.rglob("MTD_TL.xml"))
    deep.write_bytes(deep.read_bytes() + b" ")
    os.utime(archive)
    changed = [path for path, _ in whole_products(source, time.time() + 60, known=known)]
    assert changed == sorted([safe, archive])


def test_a_watched_folder_asks_the_store_once_for_each_product(watched: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched_module, "LOOK_S", 0.01)
    store, stop = FolderStore(watched.parent / "store"), Event()
    put, looks, asked, get = list[str](), list[int](), list[str](), store.get

    def counting(key: str) -> bytes:
        asked.append(key)
        return get(key)

    def tick() -> None:
        looks.append(1)
        if len(looks) > 4:
            stop.set()

    monkeypatch.setattr(store, "get", counting)
    monkeypatch.setattr(watched_module, "QUIET_S", -60.0)
    source = FolderSource(kind="folder", path=str(watched))
    for again in range(2):
        asked.clear()
        looks.clear()
        stop.clear()
        Watched(source, store, lambda path: put.append(path.name), stop, tick=tick).run()  # type: ignore[arg-type, return-value, func-returns-value]
        assert len(asked) == 4, again
    assert sorted(put) == sorted(path.name for path in watched.iterdir()), "each once, over restarts"
