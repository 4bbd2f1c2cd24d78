"""What is heard of a download: bytes are counted once, the claim is kept young, and it can be interrupted."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest

from services.ingest.fetch.came import Came, Interrupted, bytes_in
from services.ingest.fetch.lease import Lease
from shared.store import FolderStore


@pytest.fixture
def lease(tmp_path_factory: pytest.TempPathFactory) -> Lease:
    found = Lease(FolderStore(tmp_path_factory.mktemp("store")), "products/_source/lead/", "me", lambda: 0.0, 100.0)
    assert found.take()
    return found


def came(lease: Lease, folder: Path, stop: Event | None = None) -> tuple[Came, list[tuple[int, int]]]:
    heard = list[tuple[int, int]]()
    return Came(lease, folder, stop or Event(), lambda done, total: heard.append((done, total))), heard


def test_what_an_earlier_try_left_did_not_come_again(lease: Lease, tmp_path: Path) -> None:
    (tmp_path / "x.zip.part").write_bytes(bytes(60))
    found, heard = came(lease, tmp_path)
    left = bytes_in(tmp_path)
    found(left + 20, None)
    found(left + 40, 1000)
    assert found.fetched == 40
    assert heard == [(left + 20, 0), (left + 40, 1000)]


def test_what_began_from_the_beginning_came_whole(lease: Lease, tmp_path: Path) -> None:
    (tmp_path / "x.zip.part").write_bytes(bytes(60))
    found, _ = came(lease, tmp_path)
    found(10, 100)
    found(100, 100)
    assert found.fetched == 100


def test_what_was_whole_already_did_not_come(lease: Lease, tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(bytes(60))
    assert came(lease, tmp_path)[0].fetched == 0


def test_files_that_an_earlier_try_left_did_not_come_again(lease: Lease, tmp_path: Path) -> None:
    folder = tmp_path / "work" / "x.SAFE.part"
    folder.mkdir(parents=True)
    (folder / "a").write_bytes(bytes(40))
    (folder / "b").write_bytes(bytes(20))
    found, _ = came(lease, folder.parent)
    found(40, 100)
    found(60, 100)
    (folder / "c").write_bytes(bytes(40))
    found(100, 100)
    assert found.fetched == 40


def test_a_stop_interrupts(lease: Lease, tmp_path: Path) -> None:
    stop = Event()
    found, _ = came(lease, tmp_path, stop)
    found(1, 2)
    stop.set()
    with pytest.raises(Interrupted):
        found(2, 2)


def test_a_claim_that_another_one_has_interrupts(lease: Lease, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("services.ingest.fetch.came.time.monotonic", lambda: now[0])
    found, _ = came(lease, tmp_path)
    other = Lease(lease.store, lease.prefix, "other", lambda: 1e12, 100.0)
    assert other.take()
    found(1, 2)
    now[0] = 34.0
    with pytest.raises(Interrupted):
        found(2, 2)
    with pytest.raises(Interrupted):
        found.keep()
