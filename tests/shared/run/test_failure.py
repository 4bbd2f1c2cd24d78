"""Failure records as people and commands read them; what is not one is told and left alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared.items.ids import canonical
from shared.items.keys import failure_key
from shared.run.failure import make_record, read_records, standing_failures
from shared.run.outcome import Failed
from shared.stage import Job, Source
from shared.store import FolderStore
from tests.catalogues import WEEK, catalogue_of, item, scene
from tests.shared.run.fake import STAGE

NAME = "a--01234567"
KEY = failure_key("fake", NAME)
SCENE = scene("a", 500)


def record(**more: object) -> bytes:
    job = Job("cloud-masks", "a", WEEK, (Source(SCENE),))
    whole = json.loads(make_record(STAGE, job, NAME, 3, Failed("m.E", "message", "trace")))
    return canonical({**whole, **more})


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


def test_a_record_stands_until_the_output_exists(store: FolderStore) -> None:
    store.put(KEY, record())
    foreign: dict[str, str] = {}
    assert [r["id"] for r in standing_failures(store, catalogue_of([SCENE]), foreign)] == [NAME]
    output = item("cloud-masks", "a--v1-01234567", [SCENE])
    assert list(standing_failures(store, catalogue_of([SCENE, output]), foreign)) == []
    assert foreign == {}


@pytest.mark.parametrize(
    "data",
    [
        b"", b"null", b"[]", b"{}", b"\xff\xfe", b'{"id": "a--01234567"}', b"[" * 100_000,
        record(id="other--01234567"), record(id=5), record(stage=None), record(week="2018-W54"), record(week=5),
        record(collection=["x"]), record(collection=".."), record(unit=None, receipt="x"), record(unit="u", receipt=5),
        record(unit="..", receipt="x"),
    ],
    ids=lambda data: str(data[:20]),
)  # fmt: skip
def test_what_is_not_a_record_is_left_alone(data: bytes, store: FolderStore) -> None:
    whole = failure_key("fake", "b--01234567")
    store.put(whole, record(id="b--01234567"))
    store.put(KEY, data)
    store.put("failures/note.txt", b"hello")
    foreign: dict[str, str] = {}
    assert [r["id"] for r in standing_failures(store, catalogue_of([SCENE]), foreign)] == ["b--01234567"]
    assert [r["id"] for r in read_records(store, foreign)] == ["b--01234567"]
    assert sorted(foreign) == [KEY, "failures/note.txt"]
