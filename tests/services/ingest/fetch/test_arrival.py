"""What became of a product in `landing/`."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.ingest.fetch.arrival import SUFFIXES, Arrival, arrival, is_registered, landed
from shared.items.keys import receipt_key
from shared.items.landing import PREFIX
from shared.store import FolderStore
from tests.services.ingest.fetch.workshop import L2A, Intake, name_of

NAME, WEEK = name_of(), "2018-W23"


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_unit_is_found_however_it_ends(store: FolderStore, suffix: str) -> None:
    assert landed(store, NAME) is None
    store.put(f"{PREFIX}{NAME}{suffix}" + ("" if suffix == ".zip" else "/file"), b"x")
    found = landed(store, NAME)
    assert found is not None
    assert found.name == f"{NAME}{suffix}"


def test_it_has_not_ended_until_there_is_a_receipt_of_it_as_it_is(store: FolderStore) -> None:
    store.put(f"{PREFIX}{NAME}.zip", b"x")
    assert arrival(store, L2A, WEEK, NAME, landed(store, NAME)) is None
    Intake(store).once()
    assert arrival(store, L2A, WEEK, NAME, landed(store, NAME)) == Arrival(True)
    store.put(f"{PREFIX}{NAME}.zip", b"other")
    assert arrival(store, L2A, WEEK, NAME, landed(store, NAME)) is None


def test_what_ingest_refused_says_why(store: FolderStore) -> None:
    store.put(f"{PREFIX}{NAME}.zip", b"x")
    Intake(store, refuses=lambda _: True).once()
    assert arrival(store, L2A, WEEK, NAME, landed(store, NAME)) == Arrival(False, "no manifest")


def test_a_receipt_without_an_item_of_this_name_is_a_fault(store: FolderStore) -> None:
    store.put(f"{PREFIX}{NAME}.zip", b"x")
    unit = landed(store, NAME)
    assert unit is not None
    store.put(receipt_key(unit.name, unit.receipt_id), b"{}")
    found = arrival(store, L2A, WEEK, NAME, unit)
    assert found is not None
    assert not found.registered
    assert "nothing of this name" in found.fault
    store.put(receipt_key(unit.name, unit.receipt_id), b'{"failure": "failures/ingest/gone.json"}')
    assert arrival(store, L2A, WEEK, NAME, unit) == found


def test_what_is_gone_from_landing_was_registered_or_taken_out(store: FolderStore) -> None:
    found = arrival(store, L2A, WEEK, NAME, None)
    assert found == Arrival(False, "was taken out of landing/ before it was registered")
    store.put(f"items/{L2A}/{WEEK}/{NAME}--0.json", b"{}")
    assert arrival(store, L2A, WEEK, NAME, None) == Arrival(True)


def test_a_product_whose_name_begins_alike_is_another_one(store: FolderStore) -> None:
    store.put(f"items/{L2A}/{WEEK}/{NAME}0--0.json", b"{}")
    assert not is_registered(store, L2A, WEEK, NAME)
