"""What jobs keep in the store: replaced whole, removed as far as the keys in use may, and never the end of a job."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from shared.run.scratch import ScratchSpace
from shared.store import FolderStore, Forbidden, ObjectInfo, StoreUnavailable
from tests.shared.run.fake import STAGE

JOB = "a--01234567"
KEY = f"artifacts/scratch/fake/{JOB}/checkpoint"


class Grudging(FolderStore):
    """A store that deletes nothing, as for the keys of a service."""

    def delete(self, key: str) -> None:
        raise Forbidden(self.location, key, "delete")


class Away(FolderStore):
    """A store that goes away once it is open."""

    def put(self, key: str, data: bytes | Path, **options: Any) -> ObjectInfo:
        raise StoreUnavailable("the store does not answer")

    def head(self, key: str) -> ObjectInfo:
        raise StoreUnavailable("the store does not answer")


def file(folder: Path, text: str) -> Path:
    path = folder / "out" / "checkpoint-1"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_newest_is_fetched_until_it_is_cleared(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    space = ScratchSpace(STAGE, store)
    assert space.fetch(JOB, tmp_path / "none") is None
    space.clear(JOB)
    for text in ("one", "two"):
        path = file(tmp_path, text)
        space.keep(JOB, path.parent, path)
        assert not path.exists()
    found = space.fetch(JOB, tmp_path / "found")
    assert found is not None
    assert found.read_text() == "two"
    assert list(store.keys("")) == [KEY]
    space.clear(JOB)
    assert found.read_text() == "two"
    assert list(store.keys("")) == []


def test_who_may_not_delete_empties_it(tmp_path: Path) -> None:
    store = Grudging(tmp_path / "store")
    space, path = ScratchSpace(STAGE, store), file(tmp_path, "one")
    space.keep(JOB, path.parent, path)
    space.clear(JOB)
    space.clear(JOB)
    assert store.head(KEY).size == 0
    assert space.fetch(JOB, tmp_path / "found") is None


def test_a_store_that_is_away_costs_no_job(tmp_path: Path) -> None:
    space, path = ScratchSpace(STAGE, Away(tmp_path / "store")), file(tmp_path, "one")
    with capture_logs() as said:
        space.keep(JOB, path.parent, path)
        space.clear(JOB)
    assert [line["event"] for line in said] == ["no checkpoint kept", "a checkpoint is left"]
    assert not path.exists()


@pytest.mark.parametrize("name", ["../secret", "out/link"])
def test_a_worker_cannot_have_other_files_kept_or_removed(name: str, tmp_path: Path) -> None:
    store, secret = FolderStore(tmp_path / "store"), tmp_path / "secret"
    secret.write_text("key")
    path = file(tmp_path, "one")
    (path.parent / "link").symlink_to(secret)
    with capture_logs() as said:
        ScratchSpace(STAGE, store).keep(JOB, path.parent, path.parent / name.removeprefix("out/"))
    assert "not below" in said[0]["error"]
    assert secret.read_text() == "key"
    assert list(store.keys("")) == []


def test_nothing_is_asked_of_the_store_for_other_stages(tmp_path: Path) -> None:
    store = Away(tmp_path / "store")
    space, path = ScratchSpace(replace(STAGE, checkpoints=False), store), file(tmp_path, "one")
    with capture_logs() as said:
        space.keep(JOB, path.parent, path)
        space.clear(JOB)
        assert space.fetch(JOB, tmp_path / "found") is None
    assert said == []
