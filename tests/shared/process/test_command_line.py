"""One service's due work, then the end."""

from __future__ import annotations

from pathlib import Path

from shared.area import load_area
from shared.items.ids import canonical
from shared.process.command_line import do_what_is_due
from shared.run.context import Context
from shared.store import FolderStore
from tests.conftest import AREAS


def test_what_is_due_is_done_and_then_it_ends(tmp_path: Path) -> None:
    store, area = FolderStore(tmp_path / "store"), load_area(AREAS / "small.yaml")
    store.put("area.json", canonical(area.model_dump(mode="json")))
    store.put("landing/readme.txt", b"no product")
    context = Context.of_store(store, area)
    do_what_is_due("trainer", context)
    assert not list(store.keys("failures/")), "nothing is due for it"
    do_what_is_due("ingest", context)
    (failure,) = store.keys("failures/")
    assert failure.startswith("failures/ingest/readme.txt")
    do_what_is_due("ingest", context)
    assert list(store.keys("failures/")) == [failure]
