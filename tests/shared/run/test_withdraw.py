"""Withdrawals: each says something new, whatever the catalogue at hand still believes."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from shared.items.item import Item
from shared.items.properties import WithdrawalFacts, WithdrawalState
from shared.run.withdraw import NothingToSay, say
from shared.store import FolderStore
from tests.catalogues import AREA, catalogue_with

PRODUCT, WEEK = "S2A_MSIL2A_20180605T092031_N0509_R093_T34TGR_20180605T122031", "2018-W23"
PREFIX = "items/withdrawals/static/"


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


def told(store: FolderStore, state: WithdrawalState, old: bool = False, by: str = "operator") -> str:
    catalogue = catalogue_with(FolderStore(Path(store.location) / "empty") if old else store)
    return say(store, AREA, catalogue, PRODUCT, WEEK, state, "for a reason", by)


def states(store: FolderStore) -> list[str]:
    return [WithdrawalFacts.of(Item.parse(store.get(key), "static")).state for key in sorted(store.keys(PREFIX))]


def test_a_product_is_withdrawn_and_restored_in_turn(store: FolderStore) -> None:
    told(store, "withdrawn", by="fetch")
    key = told(store, "restored")
    told(store, "withdrawn")
    assert states(store) == ["withdrawn", "restored", "withdrawn"]
    facts = WithdrawalFacts.of(Item.parse(store.get(key), "static"))
    assert (facts.product, facts.week, facts.reason) == (PRODUCT, WEEK, "for a reason")


def test_what_holds_already_is_not_said(store: FolderStore) -> None:
    with pytest.raises(NothingToSay, match="is not withdrawn"):
        told(store, "restored")
    told(store, "withdrawn")
    with pytest.raises(NothingToSay, match="is withdrawn already"):
        told(store, "withdrawn")
    assert states(store) == ["withdrawn"]


def test_a_catalogue_that_is_old_makes_no_second_one(store: FolderStore) -> None:
    told(store, "withdrawn")
    with pytest.raises(NothingToSay, match="is withdrawn already"):
        told(store, "withdrawn", old=True)
    assert states(store) == ["withdrawn"]
    told(store, "restored", old=True)
    told(store, "withdrawn", old=True)
    assert states(store) == ["withdrawn", "restored", "withdrawn"]


def test_of_many_at_once_one_says_it(store: FolderStore) -> None:
    said, catalogue = list[str](), catalogue_with(store)

    def tell() -> None:
        try:
            said.append(say(store, AREA, catalogue, PRODUCT, WEEK, "withdrawn", "for a reason"))
        except NothingToSay:
            said.append("")

    threads = [threading.Thread(target=tell) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert states(store) == ["withdrawn"]
    assert len([key for key in said if key]) == 1
