"""What `status` costs: settled weeks are told from what is kept of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from landstream.report import status
from services.sweeper.sweep import Sweep
from shared.run.context import Context
from shared.stage import registry
from shared.store import FolderStore
from tests.catalogues import AREA
from tests.services.sweeper.test_sweep import put

WEEKS = "2018-W22", "2018-W23", "2018-W24"
UPDATE = {"sensor": "msi", "product": "p", "tiles": []}


class CountingStore(FolderStore):
    """A folder that counts the objects that are read."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.read: Counter[str] = Counter()

    def get(self, key: str) -> bytes:
        self.read[key] += 1
        return super().get(key)


def test_a_settled_week_without_maps_is_not_read_again(tmp_path: Path) -> None:
    store = CountingStore(tmp_path)
    for week in WEEKS:
        put(store, "cube-updates", f"p{week}", week=week, **{f"landstream:{k}": v for k, v in UPDATE.items()})
    Sweep(registry.all_stages(), Context.of_store(store, AREA), keep=True).look()
    assert sum(1 for key in store.read if key.startswith("items/cube-updates/")) == len(WEEKS)
    store.read.clear()
    found = status(store, AREA)
    assert not [key for key in store.read if key.startswith("items/")]
    assert found["freshness_s"] is None
    assert found["stages"]["inference"]["waiting"] == 0
