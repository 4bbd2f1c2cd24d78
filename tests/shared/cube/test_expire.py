"""What nobody needs of a cube's history goes, with its bytes; what somebody may read stays."""

from __future__ import annotations

from collections.abc import Set
from datetime import UTC, datetime, timedelta
from pathlib import Path

import icechunk
import numpy as np
import pytest
import zarr
from hypothesis import example, given
from hypothesis import strategies as st

from shared.area import load_area
from shared.cube import Cube, open_cube
from shared.cube.expire import READ_FOR, Expired, expiry, prune_cube
from shared.geo import TileIndex
from shared.store import FolderStore, StoreError
from tests.conftest import AREAS

AREA = load_area(AREAS / "small.yaml")
SCENES, TRAINED_AFTER = 12, 4
NOW = datetime(2026, 7, 1, tzinfo=UTC)
MONTH = timedelta(days=30)


class History:
    """A cube in a store, written to many times, with one snapshot that a model was trained on.

    Args:
        root: the store's folder.
    """

    def __init__(self, root: Path) -> None:
        self.store, self.location = FolderStore(root), str(root / "cube")
        cube = open_cube(self.location, AREA, "write")
        self.snapshots = [self.commit(cube, n) for n in range(1, SCENES + 1)]
        self.trained = self.snapshots[TRAINED_AFTER - 1]

    def commit(self, cube: Cube, n: int) -> str:
        """Write a scene over the one before; a model is trained on one of them."""

        def fill(group: zarr.Group, again: Set[TileIndex] | None) -> None:
            noise = np.random.default_rng(n).integers(1, 9000, (256, 256, 4), dtype=np.uint16)
            noise[0, 0, 0] = n
            group["Sentinel-2/MSI/10m"][22, :256, :256] = noise  # type: ignore[index]

        cube.write_year(2018, fill, f"scene {n}")
        if n == TRAINED_AFTER:
            cube.keep(f"trained-{cube.snapshot}")
        return cube.snapshot

    def prune(self, after: timedelta, keep: timedelta = MONTH, rehearse: bool = False) -> Expired:
        """Prune as if some time had gone by since the last commit."""
        return prune_cube(self.store, self.location, keep, datetime.now(UTC) + after, rehearse=rehearse)

    def objects(self) -> dict[str, bytes]:
        """What lies on the disk."""
        return {key: self.store.get(key) for key in self.store.keys("cube/")}

    def read(self, **what: str) -> int:
        """The number of the scene that a snapshot holds; the whole chunk is read."""
        repository = icechunk.Repository.open(icechunk.local_filesystem_storage(self.location))
        group = zarr.open_group(repository.readonly_session(**what).store, mode="r")  # type: ignore[arg-type]
        values = np.asarray(group["small/2018/Sentinel-2/MSI/10m"][22, :256, :256])  # type: ignore[index]
        return int(values[0, 0, 0])


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


def test_the_newest_and_what_was_trained_on_stay_and_the_rest_is_gone(history: History) -> None:
    before = history.objects()
    expired = history.prune(after=timedelta(days=40))
    after = history.objects()
    assert expired.snapshots == SCENES - 2 + 1, "and the one that made the arrays"
    gone = before.keys() - after.keys()
    assert after.keys() < before.keys()
    assert expired.objects == len(gone)
    assert expired.size == sum(len(before[key]) for key in gone)
    chunks = [key for key in gone if key.startswith("cube/chunks/")]
    assert len(chunks) == SCENES - 2
    assert sum(map(len, after.values())) < sum(map(len, before.values())) / 3
    assert history.read(branch="main") == SCENES
    assert history.read(tag=f"trained-{history.trained}") == TRAINED_AFTER
    with pytest.raises(icechunk.IcechunkError, match="snapshot not found"):
        history.read(snapshot_id=history.snapshots[0])


def test_a_pruned_cube_is_written_and_read_as_before(history: History) -> None:
    history.prune(after=timedelta(days=40))
    cube = open_cube(history.location, AREA, "write")
    history.commit(cube, SCENES + 1)
    assert history.read(branch="main") == SCENES + 1
    assert history.read(tag=f"trained-{history.trained}") == TRAINED_AFTER
    assert history.prune(after=timedelta(days=40)).snapshots == 1
    assert history.prune(after=timedelta(days=40)) == Expired(0, 0, 0)


def test_a_rehearsal_says_the_same_and_changes_nothing(history: History) -> None:
    before = history.objects()
    rehearsed = history.prune(after=timedelta(days=40), rehearse=True)
    assert history.objects() == before
    assert rehearsed.objects > 0
    assert history.prune(after=timedelta(days=40)) == rehearsed


def test_what_is_young_or_was_opened_within_the_hour_stays(history: History) -> None:
    everything = history.objects()
    assert history.prune(after=timedelta(days=29)) == Expired(0, 0, 0)
    assert history.prune(after=timedelta(minutes=1), keep=timedelta(0)) == Expired(0, 0, 0)
    assert history.objects() == everything


def test_where_there_is_no_cube_none_is_made(tmp_path: Path) -> None:
    found = prune_cube(FolderStore(tmp_path), str(tmp_path / "cube"), MONTH, NOW, rehearse=False)
    assert found == Expired(0, 0, 0)
    assert not (tmp_path / "cube").exists()


def test_what_is_no_cube_is_one_line(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.put("cube/refs/branch.main/ref.json", b"nonsense")
    with pytest.raises(StoreError) as error:
        prune_cube(store, str(tmp_path / "cube"), MONTH, NOW, rehearse=False)
    assert "\n" not in str(error.value)


@example([1 * 1440, 8 * 1440], 7)  # nothing was written for a week
@given(st.lists(st.integers(0, 9 * 1440), min_size=1, unique=True), st.integers(0, 7))
def test_nothing_expires_that_was_the_newest_within_the_time_kept(ages_min: list[int], keep_days: int) -> None:
    written = sorted((NOW - timedelta(minutes=age) for age in ages_min), reverse=True)
    keep = timedelta(days=keep_days)
    moment = expiry(written, keep, NOW)
    assert moment <= NOW - keep - READ_FOR
    replaced = [NOW, *written]  # when each ceased to be the newest
    for began, ended in zip(written, replaced, strict=False):
        assert (began >= moment) == (ended > NOW - keep - READ_FOR), "no more is kept, and no less"
