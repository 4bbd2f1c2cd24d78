"""A store made by hand: what a catalogue offers, where its products stand, what the stages made of them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from landstream.workspace import bind
from services.ingest.fetch.book import Book, make_record
from services.ingest.fetch.errors import Corrupt
from services.ingest.fetch.provider import Offer
from shared.area import Area
from shared.area.source import CdseSource
from shared.items.ids import canonical
from shared.items.item import Item
from shared.items.products import State, expected_key
from shared.run.context import Context
from shared.stage import registry
from shared.stage.due import plan_jobs
from shared.store import FolderStore
from tests.catalogues import AREA, WEEK, item, make, promotion, scene

L2A, OLCI = "sentinel-2-l2a", "sentinel-3-olci-l1b"
TILE = "T34TFR"
SOURCE = CdseSource(kind="cdse", max_cloud_percent=80, monthly_gb=10)
FETCHED = AREA.model_copy(update={"source": SOURCE})
SENSED = datetime(2018, 6, 5, 9, 20, 31, tzinfo=UTC)
FRAME = (
    "S3A_OL_1_EFR____20180605T091000_20180605T091300_20180606T120000_0179_032_050_2160_LN1_O_NT_002"
)  # fmt: skip


def named(minute: int, baseline: int = 500, tile: str = TILE) -> str:
    """The name of a product of 5 June 2018."""
    return f"S2A_MSIL2A_20180605T09{minute:02d}31_N{baseline:04d}_R093_{tile}_20180605T120000"


class World:
    """A store, its book, and stages that do what is asked of them."""

    def __init__(self, folder: Path, area: Area = FETCHED) -> None:
        self.store = FolderStore(folder)
        bind(self.store, area)
        self.book = Book(self.store)
        self.context = Context.of_store(self.store, area)

    def offered(self, product: str, *states: tuple[State, str], collection: str = L2A, **more: Any) -> None:
        """Describe a product, and say where it stands, one state after the other."""
        kind = "S2MSI2A" if collection == L2A else "OL_1_EFR___"
        given: dict[str, Any] = {"sensed": SENSED, "published": SENSED, "size": 1_000_000_000} | more
        self.book.describe(collection, WEEK, Offer(name=product, id=product, product_type=kind, **given))
        for state, reason in states or (("found", ""),):
            self.book.say(collection, WEEK, product, state, reason)

    def failed(self, product: str, fault: str = "md5 differs", remedy: str = "look at it, then requeue it") -> None:
        """Let the fetch of a product fail."""
        self.offered(product)
        self.book.fail(L2A, WEEK, product, make_record(product, L2A, WEEK, Corrupt(fault), 8, remedy))

    def counted(self, *products: str, collection: str = L2A, week: str = WEEK) -> None:
        """Write down what a recount found."""
        self.book.keep_at(expected_key(collection, week), {"products": dict.fromkeys(products, "")})
        if self.book.kept("recounted") is None:
            self.book.keep("recounted", {"at": "2018-06-06T00:00:00Z"})

    def put(self, *items: Item) -> Item:
        """Register items; the last one."""
        for one in items:
            self.store.put(one.key, canonical(one.json))
        return items[-1]

    def done(self, stage: str, source: Item, **facts: Any) -> Item:
        """The item that a stage makes of another one."""
        declared = registry.load(stage)
        (due,) = plan_jobs(declared, source, self.context.reader.snapshot(), declared.settings())
        inputs = [s.item for s in due.job.inputs]
        return self.put(item(due.job.collection, due.output_id, inputs, due.job.week, **facts))

    def registered(self, product: str) -> Item:
        """A registered scene that no other one supersedes."""
        return self.put(scene(product, 500, product, mgrs_tile=product.split("_")[5]))

    def tiled(self, product: str, clear_percent: float = 50.0) -> Item:
        """A scene in the cube, or, wholly cloudy, in no tile of it."""
        mask = self.done("cloudmask", self.registered(product), usable_percent=clear_percent, level="l2a")
        tiles = [[0, 0, 3]] if clear_percent else []
        return self.done("tiler", mask, sensor="msi", product=product, tiles=tiles)

    def champion(self) -> Item:
        """A promoted model."""
        model = self.put(make("models", "small", week="static"))
        self.put(promotion(model, 1))
        return model

    def mapped(self, update: Item, model: Item) -> Item:
        """The map of an update."""
        declared = registry.load("inference")
        (due,) = plan_jobs(declared, update, self.context.reader.snapshot(), declared.settings())
        return self.done("inference", update, **dict(due.job.parameters), model=model.id, observed_percent=5.0)
