"""A process of the distributed Landstream: what it waits for, where it works."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from shared.area import load_area
from shared.observe.health import Health
from shared.process import service
from shared.process.service import ALIVE_S, ServiceSettings
from shared.process.stack import Stack, write_stack
from shared.store import FolderStore
from shared.store.area import AREA_KEY, area_json
from tests.conftest import AREAS

AREA = load_area(AREAS / "small.yaml")


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


def wait_for_stack(store: FolderStore, stop: threading.Event) -> object:
    return service._wait_for_stack(store, stop, Health(ALIVE_S), "test")


def test_it_waits_until_the_stack_is_provisioned(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "WAIT_S", 0.01)
    stop, stack, found = threading.Event(), Stack(keys="raw"), list[object]()
    waiting = threading.Thread(target=lambda: found.append(wait_for_stack(store, stop)))
    waiting.start()
    for data in (b'{"format": 1}', area_json(AREA)):  # first of a format that is not read
        waiting.join(0.1)
        assert waiting.is_alive()
        store.put(AREA_KEY, data)
    waiting.join(0.1)
    assert waiting.is_alive(), "nothing is proved yet"
    write_stack(store, stack)
    waiting.join(20)
    assert found == [(AREA, stack)]


def test_told_to_stop_it_waits_no_longer(store: FolderStore) -> None:
    stop = threading.Event()
    stop.set()
    assert wait_for_stack(store, stop) is None


def test_a_named_instance_finds_an_empty_folder(tmp_path: Path) -> None:
    settings = ServiceSettings(work=tmp_path / "work", instance="tiler-0")
    with service._scratch("tiler", settings) as folder:
        assert folder == tmp_path / "work" / "tiler.tiler-0"
        (folder / "left").write_text("by a killed process")
        with service._scratch("tiler", settings) as again:
            assert (again, list(again.iterdir())) == (folder, [])
    assert not folder.exists()


def test_a_named_instance_finds_again_what_is_kept(tmp_path: Path) -> None:
    settings = ServiceSettings(work=tmp_path, instance="fetch")
    for start in range(3):
        with service._scratch("fetch", settings, kept="products") as folder:
            assert sorted(path.name for path in folder.iterdir()) == (["products"] if start else [])
            (folder / "products").mkdir(exist_ok=True)
            (folder / "products" / f"half-{start}").touch()
            (folder / "left").touch()
            (folder / "others").mkdir()
            (folder / "link").symlink_to(tmp_path)
    assert {path.name for path in folder.rglob("*")} == {"products", "half-0", "half-1", "half-2"}


def test_processes_without_a_name_do_not_share_a_folder(tmp_path: Path) -> None:
    settings = ServiceSettings(work=tmp_path)
    with service._scratch("tiler", settings) as one, service._scratch("tiler", settings) as two:
        assert one != two
    assert not list(tmp_path.iterdir())


def test_a_store_that_answers_has_no_fault(store: FolderStore) -> None:
    assert service._fault(store) is None
