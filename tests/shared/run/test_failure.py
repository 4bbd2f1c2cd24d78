"""Failure records as people and commands read them; what is not one is told and left alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared.items.ids import canonical
from shared.items.keys import dismissal_key, failure_key
from shared.run.failure import make_record, read_records, standing_failures
from shared.run.landed import unit_of
from shared.run.outcome import Failed
from shared.stage import Job, LandingSource, Source
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


def standing(store: FolderStore) -> list[str]:
    foreign: dict[str, str] = {}
    found = [str(r["id"]) for r in standing_failures(store, catalogue_of([SCENE]), foreign)]
    assert foreign == {}
    return found


@pytest.mark.parametrize("name", ["a.SAFE/manifest.safe", "labels.gpkg"])
def test_the_record_of_a_unit_stands_while_the_unit_lies_there_as_it_was(name: str, store: FolderStore) -> None:
    key = f"landing/{name}"
    store.put(key, b"broken")
    unit = unit_of(store, name.split("/")[0])
    assert unit is not None
    source = LandingSource(unit)
    job = Job("", "", "", delivery=source)
    store.put(failure_key("fake", source.job_id), make_record(STAGE, job, source.job_id, 1, Failed("m.E", "message")))
    assert standing(store) == [source.job_id]
    store.put(key, b"mended")
    assert standing(store) == [], "delivered again, it is another unit"
    store.delete(key)
    assert standing(store) == [], "taken away"


def test_a_unit_that_could_not_land_has_a_record_that_stands(store: FolderStore) -> None:
    data = make_record(STAGE, Job("", "too-deep", ""), NAME, 1, Failed("m.E", "message"))
    store.put(KEY, data)
    assert standing(store) == [NAME]


def test_a_dismissed_record_does_not_stand_and_stays(store: FolderStore) -> None:
    store.put(KEY, record())
    store.put(dismissal_key("fake", NAME), b"{}")
    assert standing(store) == []
    assert [r["id"] for r in read_records(store, {})] == [NAME]
