"""How many results an order concerns."""

from __future__ import annotations

from dataclasses import replace

import pytest

from landstream.reprocessing import NothingToOrder, count_older, order
from services.cloudmask.stage import STAGE as CLOUDMASK
from services.ingest.stage import STAGE as INGEST
from shared.store import FolderStore
from tests.catalogues import WEEK, catalogue_of, item, scene

NEWER = replace(CLOUDMASK, version=3)
SCENES = [scene(name, 500, name) for name in ("a", "b")]
MASKS = [
    item("cloud-masks", "a--v1-01234567", [SCENES[0]]),
    item("cloud-masks", "a--v3-01234567", [SCENES[0]]),
    item("cloud-masks", "b--v1-01234567", [SCENES[1]]),
    item("cloud-masks", "b--v2-01234567", [SCENES[1]]),
    item("cloud-masks", "c--v2-01234567", [], "2018-W30"),
]


def test_results_are_counted_that_the_present_version_did_not_make() -> None:
    catalogue = catalogue_of([*SCENES, *MASKS])
    assert count_older(NEWER, catalogue) == {WEEK: 1, "2018-W30": 1}
    assert count_older(NEWER, catalogue, WEEK) == {WEEK: 1}
    assert count_older(CLOUDMASK, catalogue) == {}


def test_an_order_to_register_again_is_refused(tmp_path) -> None:
    store = FolderStore(tmp_path)
    with pytest.raises(NothingToOrder, match="deliver the product again"):
        order(store, INGEST)
    order(store, NEWER, WEEK)
    assert list(store.keys("reprocess/")) == [f"reprocess/cloudmask/{WEEK}-v3.json"]
