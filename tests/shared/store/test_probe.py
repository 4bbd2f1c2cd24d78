"""A store that lets two creates of one object succeed is told, whatever else goes wrong meanwhile."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from shared.store import FolderStore
from shared.store.probe import probe
from shared.store.protocol import ObjectInfo, StoreError, UnsafeStore


class Racy(FolderStore):
    """A store whose first creates succeed all, and whose others fail for a reason of their own."""

    def __init__(self, folder: Path, winners: int) -> None:
        super().__init__(folder)
        self._left, self._lock = winners, threading.Lock()

    def put(self, key: str, data: bytes | Path, *, create_only: bool = False, same_as: object = None) -> ObjectInfo:
        with self._lock:
            self._left -= 1
            if self._left < 0:
                raise StoreError(f"{key}: was replaced while it was looked at")
            return super().put(key, data)


def test_a_sound_store_passes(tmp_path: Path) -> None:
    probe(FolderStore(tmp_path))


def test_two_winners_are_told_though_another_racer_failed(tmp_path: Path) -> None:
    with pytest.raises(UnsafeStore, match="2 of 8 conditional creates"):
        probe(Racy(tmp_path, winners=2))


@pytest.mark.parametrize("winners", [0, 1])
def test_a_fault_is_no_verdict(tmp_path: Path, winners: int) -> None:
    with pytest.raises(StoreError, match="was replaced") as raised:
        probe(Racy(tmp_path, winners))
    assert not isinstance(raised.value, UnsafeStore)
