"""Whether a store and Kafka are well; real ones are looked at in tests/live."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from landstream.doctor.servers import look_at_clock, look_at_disk, look_at_kafka, look_at_store
from landstream.workspace import bind
from shared.store import FolderStore
from tests.catalogues import AREA
from tests.conftest import landstream


def states(location: object) -> dict[str, str]:
    return {finding.what: finding.state for finding in look_at_store(str(location))}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    bind(FolderStore(folder), AREA)
    return folder


def test_a_store_that_is_well(store: Path) -> None:
    before = sorted(path for path in store.rglob("*") if path.is_file())
    found = states(store)
    assert {**found, "disk": "ok"} == dict.fromkeys(["disk", "store", "format", "writing", "clock"], "ok")
    assert sorted(path for path in store.rglob("*") if path.is_file()) == before


def test_what_is_no_store_is_told_from_one_that_is_to_be_made(tmp_path: Path) -> None:
    assert states(tmp_path / "absent")["store"] == "warn"
    assert states(tmp_path)["store"] == "fail"
    assert not list(tmp_path.iterdir())


def test_another_format_and_a_damaged_area_fail(store: Path) -> None:
    area = store / "area.json"
    whole = json.loads(area.read_text())
    area.write_text(json.dumps({**whole, "format": 1}))
    assert states(store)["format"] == "fail"
    area.write_text("{")
    assert states(store)["format"] == "fail"
    assert landstream("doctor", "--store", store, check=False).returncode == 1


def test_a_store_that_cannot_be_written_to_fails(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("tempfile.NamedTemporaryFile", refuse)  # root, as whom tests may run, may write anywhere
    assert states(store)["writing"] == "fail"


@pytest.mark.parametrize("location", ["ftp://x", "s3://a/b"])
def test_what_names_no_store_fails(location: str) -> None:
    assert states(location)["store"] == "fail"


@pytest.mark.parametrize(("apart", "state"), [(0.2, "ok"), (-4, "ok"), (60, "warn"), (-3600, "fail")])
def test_clocks_are_compared(apart: float, state: str) -> None:
    assert look_at_clock(1e9 + apart, 1e9).state == state


def test_the_disk_of_a_folder_that_is_to_be_made_is_looked_at(tmp_path: Path) -> None:
    assert str(tmp_path) in look_at_disk(tmp_path / "a" / "b").text


@pytest.mark.parametrize("servers", ["127.0.0.1:1", "nonsense:port"])
def test_kafka_that_does_not_answer_fails(servers: str) -> None:
    found = look_at_kafka(servers)
    assert (found.state, bool(found.remedy)) == ("fail", True)


def test_findings_are_json_too(store: Path) -> None:
    found = landstream("doctor", "--store", store, "--json").stdout.splitlines()
    assert {"what", "state", "text", "remedy"} == set(json.loads(found[0]))
