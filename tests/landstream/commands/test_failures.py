"""What failed, told to people; what becomes of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from landstream.workspace import bind
from shared.items.ids import canonical
from shared.items.keys import failure_key, receipt_key
from shared.run.failure import make_record
from shared.run.landed import unit_of
from shared.run.outcome import Rejected
from shared.stage import Job, LandingSource, Source, registry
from shared.store import FolderStore
from tests.catalogues import AREA, WEEK, scene
from tests.conftest import landstream
from tests.landstream.terminal import on_terminal

PRODUCT = "S2A_MSIL2A_20180605T092031_N0500_R093_T34TGR_20230601T120000"
SCENE = scene(PRODUCT, 500)
FAULT = Rejected("IMG_DATA/R10m/T34TGR_B02.jp2", "ends early", "download the product again, and deliver it")


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    """A store with a scene whose mask failed, and a unit that could not be registered."""
    store = FolderStore(tmp_path)
    bind(store, AREA)
    store.put(SCENE.key, canonical(SCENE.json))
    cloudmask, ingest = registry.load("cloudmask"), registry.load("ingest")
    job = Job("cloud-masks", PRODUCT, WEEK, (Source(SCENE),))
    name = f"{PRODUCT}--01234567"
    store.put(failure_key("cloudmask", name), make_record(cloudmask, job, name, 1, FAULT))
    store.put("landing/odd.zip", b"not a zip")
    unit = unit_of(store, "odd.zip")
    assert unit is not None
    source = LandingSource(unit)
    record = make_record(ingest, Job("", "", "", delivery=source), source.job_id, 1, FAULT)
    store.put(failure_key("ingest", source.job_id), record)
    store.put(receipt_key(unit.name, unit.receipt_id), b"{}")
    return store


def shown(store: FolderStore, *options: str) -> list[dict]:
    said = landstream("failures", "--store", store.location, *options).stdout
    return [json.loads(line) for line in said.splitlines()]


def failed(store: FolderStore) -> dict[str, int]:
    stages = json.loads(landstream("status", "--store", store.location, "--json").stdout)["stages"]
    return {name: counts["failed"] for name, counts in stages.items() if counts["failed"]}


def test_people_read_what_failed_why_and_what_to_do(store: FolderStore) -> None:
    told = on_terminal("failures", "--store", store.location, columns=70)
    assert told[0].split() == ["when", "stage", "product", "or", "unit"]
    assert told[1].split()[2:] == ["cloudmask", PRODUCT]
    assert told[2:6] == [
        "  file        IMG_DATA/R10m/T34TGR_B02.jp2",
        "  why         ends early",
        "  what to do  download the product again, and deliver it",
        f"  id          {PRODUCT}--01234567",
    ]
    assert told[6].split()[2:] == ["ingest", "odd.zip"]
    assert [r["stage"] for r in shown(store)] == ["cloudmask", "ingest"]


def test_a_dismissed_failure_is_neither_shown_nor_counted_and_not_due(store: FolderStore) -> None:
    assert failed(store) == {"cloudmask": 1, "ingest": 1}
    before = landstream("sweep", "--store", store.location).stdout
    said = landstream("dismiss", f"{PRODUCT}--01234567", "--reason", "haze", "--store", store.location).stdout
    assert said == f"{PRODUCT}: cloudmask leaves it as it is\n"
    assert failed(store) == {"ingest": 1}
    assert [r["stage"] for r in shown(store)] == ["ingest"]
    everything = [(r["stage"], r["state"], r["reason"]) for r in shown(store, "--all")]
    assert everything == [("cloudmask", "dismissed", "haze"), ("ingest", "stands", "")]
    assert landstream("sweep", "--store", store.location).stdout == before
    assert store.get(f"failures/cloudmask/{PRODUCT}--01234567.dismissed") == b'{"reason":"haze"}'


def test_people_read_of_a_dismissed_failure_why_it_was(store: FolderStore) -> None:
    landstream("dismiss", f"{PRODUCT}--01234567", "--reason", "haze", "--store", store.location)
    landstream("dismiss", "all", "--store", store.location)
    told = on_terminal("failures", "--all", "--store", store.location, columns=70)
    states = [line.split(maxsplit=1)[1] for line in told if line.startswith("  state ")]
    assert states == ["dismissed: haze", "dismissed"]


def test_requeue_says_what_is_tried_again_and_leaves_alone_what_was_dismissed(store: FolderStore) -> None:
    landstream("dismiss", f"{PRODUCT}--01234567", "--store", store.location)
    assert landstream("requeue", "all", "--store", store.location).stdout == "odd.zip: ingest tries it again\n"
    assert not list(store.keys("receipts/"))
    none = landstream("requeue", "all", "--store", store.location, check=False)
    assert (none.returncode, len(none.stderr.splitlines())) == (2, 1)
    said = landstream("requeue", f"{PRODUCT}--01234567", "--store", store.location).stdout
    assert said == f"{PRODUCT}: cloudmask tries it again\n"
    assert not list(store.keys("failures/")), "the dismissal too, or it would hide the next record"


def test_the_record_of_a_unit_that_is_gone_is_void(store: FolderStore) -> None:
    store.delete("landing/odd.zip")
    assert failed(store) == {"cloudmask": 1}
    assert [r["state"] for r in shown(store, "--all")] == ["stands", "void"]
    said = landstream("requeue", "all", "--store", store.location).stdout.splitlines()
    assert said == [
        f"{PRODUCT}: cloudmask tries it again",
        "odd.zip: ingest has nothing to try again, the record was void",
    ]


def test_reprocess_says_how_many(store: FolderStore) -> None:
    said = landstream("reprocess", "cloudmask", "--store", store.location).stdout
    assert said == "no result of cloudmask is older than version 1 (all): nothing is due again\n"
    refused = landstream("reprocess", "ingest", "--store", store.location, check=False)
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)


def test_dismissing_all_leaves_alone_what_is_void(store: FolderStore) -> None:
    store.delete("landing/odd.zip")
    assert [r["stage"] for r in shown(store)] == ["cloudmask"]
    said = landstream("dismiss", "all", "--store", store.location).stdout
    assert said == f"{PRODUCT}: cloudmask leaves it as it is\n"
    assert [(r["stage"], r["state"]) for r in shown(store, "--all")] == [("cloudmask", "dismissed"), ("ingest", "void")]
