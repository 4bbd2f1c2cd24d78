"""How the canary learns the form of a store's keys."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from landstream.provision import canary
from landstream.provision.canary import send_canary
from shared.events import ObjectCreated, make
from shared.store import FolderStore

Events = Callable[[str, str], list[bytes]]
"""(bucket, key) of the canary -> the messages that come of it."""


def plain(bucket: str, key: str) -> bytes:
    record = {"eventName": "s3:ObjectCreated:Put", "s3": {"bucket": {"name": bucket}, "object": {"key": key}}}
    return json.dumps({"Records": [record]}).encode()


class FakeBus:
    """A bus whose tail holds what a store makes of each new object."""

    def __init__(self, store: FolderStore, events: Events) -> None:
        self._store, self._events, self._seen = store, events, set[str]()

    @contextmanager
    def tail(self, topic: str) -> Iterator[FakeBus]:
        yield self

    def poll(self, timeout_s: float) -> list[bytes]:
        new = set(self._store.keys("landing/")) - self._seen
        self._seen |= new
        return [message for key in sorted(new) for message in self._events(self._store.bucket, key)]


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


def send(store: FolderStore, events: Events, within_s: float = 0.3) -> str | None:
    form = send_canary(store, FakeBus(store, events), within_s)  # type: ignore[arg-type]
    assert list(store.keys("")) == []
    return form


def test_keys_as_minio_writes_them(store: FolderStore) -> None:
    assert send(store, lambda bucket, key: [make(ObjectCreated(bucket, key, 6, "e"))]) == "quoted"


def test_keys_as_they_are(store: FolderStore) -> None:
    assert send(store, lambda bucket, key: [plain(bucket, key)]) == "raw"


def test_what_else_is_published_is_no_answer(store: FolderStore) -> None:
    others = [
        b"no JSON",
        b'{"Event": "s3:TestEvent"}',
        plain("another", "landing/x"),
        plain(store.bucket, "landing/x"),
    ]
    assert send(store, lambda bucket, key: [*others, plain("another", key)]) is None
    assert send(store, lambda bucket, key: [*others, plain(bucket, key)]) == "raw"


def test_another_is_sent_where_the_first_event_was_lost(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary, "AGAIN_S", 0.05)
    count = iter(range(9))
    assert send(store, lambda bucket, key: [plain(bucket, key)] if next(count) else [], within_s=5) == "raw"
