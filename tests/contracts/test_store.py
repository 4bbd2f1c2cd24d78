"""One suite for every adapter of `Store`."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import pytest

from shared.events import parse
from shared.items.keys import SCRATCH
from shared.items.weeks import BadKey
from shared.run.scratch import ScratchSpace
from shared.stage import registry
from shared.store import (
    ChecksumMismatch,
    FolderStore,
    NotFound,
    PreconditionFailed,
    Store,
    StoreError,
    StoreLocked,
    probe,
)

HOSTILE = [
    "",
    "/a",
    "a//b",
    "a/../b",
    "./a",
    "a/.",
    "..",
    "a\x00b",
    "a\nb",
    "a\n",
    "caf\u00e9",
    "x" * 256,
    "/".join(["y" * 200] * 6),
]


class StoreContract:
    """Inherit, and give `store`, which notifies by `events.append`."""

    forgets_at_once: ClassVar = True
    """Whether a name whose last key was deleted is no child any more."""

    @pytest.fixture
    def events(self) -> list[bytes]:
        """The notifications that it sent so far."""
        return []

    @pytest.fixture
    def store(self, events: list[bytes]) -> Store:
        raise NotImplementedError

    def test_get_is_what_was_put(self, store: Store) -> None:
        info = store.put("items/a/b.json", b"{}")
        assert store.get("items/a/b.json") == b"{}"
        assert (info.key, info.size) == ("items/a/b.json", 2)

    def test_put_of_a_file(self, store: Store, tmp_path: Path) -> None:
        data = os.urandom(3_000_000)
        (tmp_path / "f").write_bytes(data)
        store.put("artifacts/f", tmp_path / "f")
        assert store.get("artifacts/f") == data

    @pytest.mark.parametrize("size", [0, 1, 1 << 20])
    def test_the_etag_of_a_file_is_known_before_it_is_put(self, store: Store, tmp_path: Path, size: int) -> None:
        (tmp_path / "f").write_bytes(os.urandom(size))
        assert store.put("artifacts/f", tmp_path / "f").etag == store.etag_of(tmp_path / "f")

    def test_put_replaces_and_changes_the_etag(self, store: Store) -> None:
        first = store.put("k", b"1")
        second = store.put("k", b"2")
        assert store.get("k") == b"2"
        assert first.etag != second.etag == store.head("k").etag

    def test_create_only_refuses_the_second(self, store: Store) -> None:
        store.put("k", b"1", create_only=True)
        with pytest.raises(PreconditionFailed):
            store.put("k", b"2", create_only=True)
        assert store.get("k") == b"1"

    @pytest.mark.parametrize("changed", [False, True])
    @pytest.mark.parametrize("size", [10, 2 << 20, 40 << 20])
    def test_what_lies_in_the_store_already_is_put_as_it_was_fetched(
        self, store: Store, tmp_path: Path, size: int, changed: bool
    ) -> None:
        data = os.urandom(size)
        (tmp_path / "delivered").write_bytes(data)
        store.put("landing/u/f", tmp_path / "delivered")
        fetched = store.fetch("landing/u/f", tmp_path / "f")
        if changed:
            store.put("landing/u/f", b"other bytes")
        for key in ("artifacts/f", "artifacts/g"):
            info = store.put(key, tmp_path / "f", create_only=True, same_as=fetched)
            assert (info.key, info.size) == (key, size)
            assert store.get(key) == data
        with pytest.raises(PreconditionFailed):
            store.put("artifacts/f", tmp_path / "f", create_only=True, same_as=fetched)

    def test_what_was_there_is_put_after_it_is_gone(self, store: Store, tmp_path: Path) -> None:
        store.put("landing/u/f", os.urandom(2 << 20))
        fetched = store.fetch("landing/u/f", tmp_path / "f")
        store.delete("landing/u/f")
        store.put("artifacts/f", tmp_path / "f", create_only=True, same_as=fetched)
        assert store.get("artifacts/f") == (tmp_path / "f").read_bytes()

    def test_create_only_has_one_winner(self, store: Store) -> None:
        won: list[int] = []
        barrier = threading.Barrier(8)

        def race(n: int) -> None:
            barrier.wait()
            try:
                store.put("race", b"%d" % n, create_only=True)
                won.append(n)
            except PreconditionFailed:
                pass

        threads = [threading.Thread(target=race, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        assert store.get("race") == b"%d" % won[0]

    def test_many_at_once_below_a_prefix_that_is_new(self, store: Store) -> None:
        for turn in range(20):
            barrier = threading.Barrier(8)

            def write(n: int, turn: int = turn, barrier: threading.Barrier = barrier) -> str:
                barrier.wait()
                return store.put(f"new/{turn}/below/{n}", b"x").key

            with ThreadPoolExecutor(8) as pool:
                assert len(set(pool.map(write, range(8)))) == 8

    def test_absent(self, store: Store, tmp_path: Path) -> None:
        for call in (store.get, store.head, lambda k: store.fetch(k, tmp_path / "f")):
            with pytest.raises(NotFound):
                call("absent")
        assert not (tmp_path / "f").exists()
        store.delete("absent")

    def test_delete(self, store: Store) -> None:
        store.put("a/b", b"1")
        store.delete("a/b")
        with pytest.raises(NotFound):
            store.get("a/b")
        assert list(store.keys("")) == []

    def test_a_checkpoint_is_replaced_fetched_and_cleared(self, store: Store, tmp_path: Path) -> None:
        space = ScratchSpace(registry.load("trainer"), store)
        assert space.fetch("a--01234567", tmp_path / "none") is None
        for n in (1, 2):
            (tmp_path / f"checkpoint-{n}").write_bytes(b"%d" % n * 10_000)
            space.keep("a--01234567", tmp_path, tmp_path / f"checkpoint-{n}")
        found = space.fetch("a--01234567", tmp_path / "found")
        assert found is not None
        assert found.read_bytes() == b"2" * 10_000
        assert len(list(store.keys(SCRATCH))) == 1
        space.clear("a--01234567")
        assert space.fetch("a--01234567", tmp_path / "gone") is None
        assert [info.size for info in store.list(SCRATCH) if info.size] == []

    @pytest.mark.parametrize("prefix", ["landing/", "artifacts/"])
    def test_fetch_verifies(self, store: Store, tmp_path: Path, prefix: str) -> None:
        data = os.urandom(100_000)
        store.put(prefix + "f", data)
        store.fetch(prefix + "f", tmp_path / "good", hashlib.sha256(data).hexdigest())
        assert (tmp_path / "good").read_bytes() == data
        with pytest.raises(ChecksumMismatch):
            store.fetch(prefix + "f", tmp_path / "bad", "0" * 64)
        assert not (tmp_path / "bad").exists()

    def test_list_by_prefix(self, store: Store) -> None:
        keys = sorted([f"items/a/{n:03d}.json" for n in range(25)] + ["items/b.json", "items.json", "other/x"])
        for key in keys:
            store.put(key, b"1")
        assert sorted(store.keys("")) == keys
        assert sorted(store.keys("items/")) == [k for k in keys if k.startswith("items/")]
        assert sorted(store.keys("items/a/00")) == [f"items/a/{n:03d}.json" for n in range(10)]
        assert [i.key for i in store.list("items/a/")] == [f"items/a/{n:03d}.json" for n in range(25)]

    def test_children_are_what_lies_directly_below(self, store: Store) -> None:
        for key in ("landing/a.zip", "landing/b/x", "landing/b/y/z", "landing/c/x", "items/q/1"):
            store.put(key, b"1")
        assert sorted(store.children("landing/")) == ["a.zip", "b", "c"]
        assert sorted(store.children("landing/b/")) == ["x", "y"]
        assert sorted(store.children("")) == ["items", "landing"]
        assert list(store.children("absent/")) == []
        store.delete("landing/c/x")
        assert list(store.keys("landing/c/")) == []
        lingering = set() if self.forgets_at_once else {"c"}
        assert set(store.children("landing/")) - lingering == {"a.zip", "b"}

    def test_children_beyond_one_page(self, store: Store) -> None:
        names = [f"{n:04d}" for n in range(1100)]
        for name in names:
            store.put(f"k/{name}/x" if int(name) % 2 else f"k/{name}", b"1")
        assert sorted(store.children("k/")) == names

    def test_exists(self, store: Store) -> None:
        store.put("a/b", b"1")
        assert [store.exists(key) for key in ("a/b", "a", "a/c")] == [True, False, False]

    @pytest.mark.parametrize("key", HOSTILE, ids=range(len(HOSTILE)))
    def test_hostile_keys(self, store: Store, key: str) -> None:
        for call in (store.get, store.head, store.delete, lambda k: store.put(k, b"1")):
            with pytest.raises(BadKey):
                call(key)

    def test_an_object_that_would_be_the_folder_of_another_harms_none(self, store: Store) -> None:
        # Refused, or kept beside it: stores differ, and who drops products asks no adapter of ours.
        kept = {"a/b": b"1"}
        store.put("a/b", b"1")
        for key in ("a/b/c", "a"):
            with suppress(BadKey):
                store.put(key, b"2")
                kept[key] = b"2"
        assert {key: store.get(key) for key in store.keys("")} == kept
        store.delete("a/b")
        assert {key: store.get(key) for key in store.keys("")} == {k: d for k, d in kept.items() if k != "a/b"}

    @pytest.mark.parametrize("key", ["a b/c+d", "a%2Fb", "S2A_(1)=2@3.SAFE", "~a/#b", "a/b.c/d"])
    def test_odd_keys(self, store: Store, key: str) -> None:
        store.put(key, b"1")
        assert store.get(key) == b"1"
        assert list(store.keys("")) == [key]

    def test_answers(self, store: Store) -> None:
        store.reach()

    def test_probe_passes(self, store: Store) -> None:
        probe(store)
        assert list(store.keys("")) == []

    def test_notifies_of_each_new_object(self, store: Store, events: list[bytes]) -> None:
        info = store.put("landing/a b+c/x", b"12")
        with pytest.raises(PreconditionFailed):
            store.put("landing/a b+c/x", b"34", create_only=True)
        (event,) = map(parse, events)
        assert (event.key, event.size, event.etag) == ("landing/a b+c/x", 2, info.etag)


class TestFolderStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path, events: list[bytes]) -> Store:
        return FolderStore(tmp_path / "store", events.append)

    def test_files_dropped_in_are_objects(self, store: FolderStore, tmp_path: Path) -> None:
        folder = tmp_path / "store" / "landing" / "unit"
        folder.mkdir(parents=True)
        (folder / "f").write_bytes(b"1")
        before = store.head("landing/unit/f")
        assert (before.size, store.get("landing/unit/f")) == (1, b"1")
        (folder / "f").write_bytes(b"22")
        assert store.head("landing/unit/f").etag != before.etag

    def test_links_are_no_objects(self, store: FolderStore, tmp_path: Path) -> None:
        (tmp_path / "secret").write_bytes(b"s")
        (tmp_path / "secrets").mkdir()
        (tmp_path / "secrets" / "f").write_bytes(b"s")
        landing = tmp_path / "store" / "landing"
        landing.mkdir()
        (landing / "link").symlink_to(tmp_path / "secret")
        (landing / "folder").symlink_to(tmp_path / "secrets")
        assert list(store.keys("landing/")) == []
        assert sorted(store.unusable("landing/")) == ["landing/folder", "landing/link"]
        for key in ("landing/link", "landing/folder/f"):
            with pytest.raises(NotFound):
                store.get(key)

    def test_what_it_wrote_is_one_file_from_landing_to_artifact(self, store: FolderStore, tmp_path: Path) -> None:
        (tmp_path / "given").write_bytes(b"x" * 1000)
        store.put("landing/f", tmp_path / "given")
        scratch = store.work / "in"
        store.fetch("landing/f", scratch)
        info = store.put("artifacts/f", scratch)
        inodes = {(store.root / key).stat().st_ino for key in ("landing/f", "artifacts/f")}
        assert len(inodes) == 1
        assert info == store.head("artifacts/f")
        assert info.etag == store.head("landing/f").etag == store.etag_of(tmp_path / "given")
        assert (store.root / "landing" / "f").stat().st_mode & 0o222 == 0
        # The user's own file is another one, and another delivery of that name leaves the artifact as it is.
        (tmp_path / "given").write_bytes(b"y")
        store.put("landing/f", tmp_path / "given")
        assert store.get("artifacts/f") == b"x" * 1000

    def test_a_file_that_is_adopted_is_one_file_up_to_the_artifact(self, store: FolderStore, tmp_path: Path) -> None:
        given = tmp_path / "given"
        given.write_bytes(b"x" * 1000)
        info = store.adopt("landing/f", given)
        assert info.etag == store.etag_of(given)
        store.fetch("landing/f", store.work / "in")
        store.put("artifacts/f", store.work / "in")
        files = [given, store.root / "landing/f", store.root / "artifacts/f"]
        assert len({file.stat().st_ino for file in files}) == 1
        assert {file.stat().st_mode & 0o777 for file in files} == {0o444}

    def test_a_file_on_another_disk_is_copied_when_adopted(self, store: FolderStore) -> None:
        with tempfile.NamedTemporaryFile(dir="/dev/shm") as given:
            if Path(given.name).stat().st_dev == store.root.stat().st_dev:
                pytest.skip("/dev/shm is the disk of temporary files here")
            given.write(b"abc")
            given.flush()
            store.adopt("landing/f", Path(given.name))
            assert store.get("landing/f") == b"abc"
            assert Path(given.name).stat().st_mode & 0o200, "it is still its owner's to change"

    def test_what_somebody_else_wrote_or_changed_is_copied(self, store: FolderStore, tmp_path: Path) -> None:
        dropped, changed = store.root / "landing" / "dropped", store.root / "landing" / "changed"
        store.put("landing/changed", b"1")
        changed.write_bytes(b"22")
        dropped.write_bytes(b"33")
        for path in (dropped, changed):
            store.fetch(f"landing/{path.name}", tmp_path / path.name)
            assert (tmp_path / path.name).stat().st_ino != path.stat().st_ino
            assert (tmp_path / path.name).read_bytes() == path.read_bytes()
            assert path.stat().st_mode & 0o200

    def test_a_disk_that_can_share_shares(
        self, store: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def clone(target: int, _: int, source: int) -> None:  # as Btrfs would
            os.write(target, os.pread(source, 100, 0))

        monkeypatch.setattr("shared.store.folder.fcntl.ioctl", clone)
        (tmp_path / "given").write_bytes(b"given")
        info = store.put("landing/f", tmp_path / "given")
        assert (store.get("landing/f"), info.size) == (b"given", 5)
        assert info.etag == store.etag_of(tmp_path / "given")

    @pytest.mark.parametrize("place", ["file", "file/store"])
    def test_what_is_no_folder_is_said_in_a_line(self, tmp_path: Path, place: str) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(StoreError, match="a folder you may write to") as caught:
            FolderStore(tmp_path / place)
        assert "file" in str(caught.value)

    def test_a_folder_of_somebody_else_is_said_in_a_line(
        self, store: FolderStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(store.root))

        monkeypatch.setattr("shared.store.folder.os.link", refuse)  # root, as whom tests may run, may write anywhere
        with pytest.raises(StoreError, match=r"Permission denied; .*you may write to"):
            store.put("items/a", b"1", create_only=True)

    def test_its_own_folder_is_no_key(self, store: FolderStore) -> None:
        with pytest.raises(BadKey):
            store.get(".landstream/run.lock")
        store.put("k", b"1")
        assert list(store.keys("")) == ["k"]

    def test_one_run_at_a_time(self, store: FolderStore, tmp_path: Path) -> None:
        with (
            store.exclusive(),
            pytest.raises(StoreLocked, match="another run"),
            FolderStore(tmp_path / "store").exclusive(),
        ):
            pass
        with store.exclusive():
            pass
