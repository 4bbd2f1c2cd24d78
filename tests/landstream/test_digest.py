"""The digest names what is current by its content: alike for alike stores, another for any change."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from landstream.digest import digest_lines
from landstream.workspace import bind, open_bound
from shared.area import load_area
from shared.store import ChecksumMismatch, FolderStore
from tests.conftest import AREAS


def lines_of(store: Path) -> list[str]:
    return digest_lines(*open_bound(str(store)))


def test_an_empty_store_has_an_empty_digest(tmp_path: Path) -> None:
    bind(FolderStore(tmp_path), load_area(AREAS / "small.yaml"))
    assert lines_of(tmp_path) == []


def test_lines_are_sorted_digests_of_items_and_of_the_cube(mapped: Path, tmp_path: Path) -> None:
    lines = lines_of(mapped)
    assert lines == sorted(lines)
    assert all(len(line.split("  ")[0]) == 64 for line in lines)
    keys = [line.split("  ")[1] for line in lines]
    assert len(set(keys)) == len(keys)
    assert any(key.startswith("items/land-cover-maps/") for key in keys)
    assert any(key.startswith("cube/2018/Sentinel-2/MSI/10m/2018-W") for key in keys)
    assert not any("training-requests" in key for key in keys)
    copy = tmp_path / "elsewhere"
    shutil.copytree(mapped, copy)
    assert lines_of(copy) == lines


def test_an_artifact_that_is_not_what_its_item_says_is_told(mapped: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    shutil.copytree(mapped, store)
    mask = next((store / "artifacts" / "cloud-masks").rglob("*.tif"))
    data = bytearray(mask.read_bytes())
    data[len(data) // 2] ^= 1
    mask.chmod(0o600)
    mask.write_bytes(bytes(data))
    with pytest.raises(ChecksumMismatch):
        lines_of(store)
