"""The catalogue: every item of a store at one moment, and which of them are current."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property

from shared.area import Area
from shared.geo import TileIndex
from shared.items.item import Item
from shared.items.keys import canonical, product_number

SHEET_TILES = 32
"""Tiles along a side of a sheet, the unit of a map."""

SCENES = ("sentinel-2-l2a", "sentinel-2-l1c", "sentinel-3-olci-l1b")
LABELS = "corine-land-cover"
Sheet = tuple[int, int]


class Catalogue:
    """An immutable view; every answer is a pure function of the items, never of their order of arrival."""

    def __init__(
        self,
        items: Iterable[Item],
        area: Area,
        failures: frozenset[str] = frozenset(),
        receipts: frozenset[str] = frozenset(),
        orders: frozenset[str] = frozenset(),
    ) -> None:
        self.area, self.failures, self.receipts, self.orders = area, failures, receipts, orders
        self._by_collection: dict[str, dict[str, Item]] = defaultdict(dict)
        for item in sorted(items, key=lambda i: (i.collection, i.id)):
            self._by_collection[item.collection][item.id] = item
        self._current: dict[tuple[str, str], bool] = {}

    @property
    def collections(self) -> list[str]:
        """Collections that hold an item."""
        return sorted(self._by_collection)

    def items(self, collection: str, week: str | None = None) -> list[Item]:
        """All items of a collection, by id."""
        if week is not None:
            return list(self._by_week.get((collection, week), ()))
        return list(self._by_collection.get(collection, {}).values())

    def current(self, collection: str, week: str | None = None) -> list[Item]:
        """The current items of a collection, by id."""
        return [i for i in self.items(collection, week) if self.is_current(i)]

    def get(self, collection: str, item_id: str) -> Item:
        """One item.

        Raises:
            KeyError: there is none.
        """
        return self._by_collection.get(collection, {})[item_id]

    def inputs(self, item: Item) -> list[Item]:
        """The items that one was derived from, as far as they exist."""
        pairs = item.derived_from
        return [self._by_collection[c][i] for c, i in pairs if i in self._by_collection.get(c, {})]

    def has_output(self, collection: str, product: str, digest: str, version: int = 0) -> bool:
        """Whether an item of this stage version or a later one has this product and digest."""
        same = self._by_product.get((collection, product), ())
        return any(i.digest == digest and i.stage_version >= version for i in same)

    def version_wanted(self, stage: str, week: str) -> int:
        """The stage version below which an output is to be made again; 0 = any will do."""
        return max((v for s, w, v in self._reprocess if s == stage and w in (week, "all")), default=0)

    @cached_property
    def _reprocess(self) -> list[tuple[str, str, int]]:
        """(stage, week or `all`, version) of the standing orders `reprocess/<stage>/<week>-v<version>.json`."""
        orders = []
        for key in self.orders:
            _, stage, name = key.split("/")
            week, _, version = name.removesuffix(".json").rpartition("-v")
            orders.append((stage, week, int(version)))
        return orders

    @cached_property
    def weeks(self) -> list[str]:
        """Weeks that hold an item, ascending, `static` among them."""
        return sorted({week for _, week in self._by_week})

    @cached_property
    def _by_week(self) -> dict[tuple[str, str], list[Item]]:
        found: dict[tuple[str, str], list[Item]] = defaultdict(list)
        for collection, items in self._by_collection.items():
            for item in items.values():
                found[collection, item.week].append(item)
        return found

    @cached_property
    def _by_product(self) -> dict[tuple[str, str], list[Item]]:
        found: dict[tuple[str, str], list[Item]] = defaultdict(list)
        for collection, items in self._by_collection.items():
            for item in items.values():
                found[collection, item.product].append(item)
        return found

    def is_current(self, item: Item) -> bool:
        """Highest product version of its scene, then stage version, and derived from current items only."""
        key = (item.collection, item.id)
        if key not in self._current:
            self._current[key] = self._decide(item)
        return self._current[key]

    def _decide(self, item: Item) -> bool:
        if item.collection in SCENES:
            return item.id in self._best_of_scene[item.collection, str(item.properties["landstream:scene"])]
        if item.collection == LABELS:
            return item.id == self._latest(item, lambda other: True)
        if item.collection == "training-requests":
            return item.properties.get("landstream:cube_state") == self.cube_state()
        if item.collection == "models":
            model = self.current_model()
            return model is not None and model.id == item.id
        if not self._from_current(item):
            return False
        if item.collection == "land-cover-labels":
            winner = self.label_winner()
            if winner is None or (winner.collection, winner.id) not in item.derived_from:
                return False
        if item.collection == "land-cover-maps":
            sheet = _sheet(item.properties["landstream:sheet"])
            if item.properties["landstream:ledger"] != self.ledger_digest(sheet, item.week):
                return False
        return item.id == self._latest(item, self._from_current)

    def _from_current(self, item: Item) -> bool:
        inputs = self.inputs(item)
        return len(inputs) == len(item.derived_from) and all(map(self.is_current, inputs))

    def _latest(self, item: Item, fits: Callable[[Item], bool]) -> str:
        """Id of the highest stage version among the fitting items of the same product."""
        same = self._by_product[item.collection, item.product]
        return max(filter(fits, same), key=lambda i: (i.stage_version, i.id)).id

    @cached_property
    def withdrawn(self) -> frozenset[str]:
        """Full names of the products that a withdrawal names."""
        return frozenset(str(i.properties["landstream:product"]) for i in self.items("withdrawals"))

    @cached_property
    def _best_of_scene(self) -> dict[tuple[str, str], frozenset[str]]:
        """(collection, scene) -> ids of its current items; twin products are all current."""
        scenes: dict[tuple[str, str], list[Item]] = defaultdict(list)
        for collection in SCENES:
            for item in self.items(collection):
                if item.product not in self.withdrawn:
                    scenes[collection, str(item.properties["landstream:scene"])].append(item)
        best: dict[tuple[str, str], frozenset[str]] = defaultdict(frozenset)
        for scene, items in scenes.items():
            version = max(product_version(i) for i in items)
            latest: dict[str, Item] = {}
            for item in sorted(items, key=lambda i: (i.stage_version, i.id)):
                if product_version(item) == version:
                    latest[item.product] = item
            best[scene] = frozenset(i.id for i in latest.values())
        return best

    def outdated(self, item: Item) -> list[str]:
        """Products of the same scene that are no longer current, by name: superseded or withdrawn."""
        scene = item.properties["landstream:scene"]
        same = [i for i in self.items(item.collection) if i.properties["landstream:scene"] == scene]
        return sorted(
            {i.product for i in same if not self.is_current(i)} - {i.product for i in same if self.is_current(i)}
        )

    def label_winner(self) -> Item | None:
        """The label delivery that is burned: reference year nearest the area's, then newest campaign, release, id."""
        fitting = [
            i for i in self.current(LABELS) if i.properties["landstream:label_source"] == self.area.labels.source
        ]
        if not fitting:
            return None
        return max(fitting, key=self.label_rank)

    def label_rank(self, delivery: Item) -> tuple[int, str, str, str]:
        """What a label delivery wins by, the larger one: the first that differs decides."""
        p = delivery.properties
        distance = abs(int(p["landstream:reference_year"]) - self.area.label_year)
        return (-distance, str(p["landstream:campaign"]), str(p["landstream:release"]), delivery.id)

    def cube_state(self) -> str:
        """sha256 over the sorted ids of current cube updates and labels."""
        return self._cube_state

    @cached_property
    def _cube_state(self) -> str:
        ids = [i.id for c in ("cube-updates", "land-cover-labels") for i in self.current(c)]
        return hashlib.sha256(canonical(sorted(ids))).hexdigest()

    def current_model(self) -> Item | None:
        """The model of the present cube state; until it exists, the one over most current inputs, then smallest id.

        Of models of one state, that of the area's present training policy is current.
        """
        return self._current_model

    @cached_property
    def _current_model(self) -> Item | None:
        present = {i.id for c in ("cube-updates", "land-cover-labels") for i in self.current(c)}

        policy = self.area.policy.training.model_dump(mode="json")

        def rank(model: Item) -> tuple[bool, int, bool, int, str]:
            requests = self.inputs(model)
            known = [pair[1] for r in requests for pair in r.derived_from]
            exact = model.properties.get("landstream:cube_state") == self.cube_state()
            as_ordered = model.properties.get("landstream:training") == policy
            return (not exact, -len(present.intersection(known)), not as_ordered, -model.stage_version, model.id)

        return min(self.items("models"), key=rank, default=None)

    @cached_property
    def _touched(self) -> dict[str, dict[TileIndex, list[int]]]:
        """Week -> tile -> ascending numbers of the Sentinel-2 products that its ledger is to hold."""
        found: dict[str, dict[TileIndex, list[int]]] = defaultdict(lambda: defaultdict(list))
        for update in self.current("cube-updates"):
            if update.properties.get("landstream:sensor") == "msi":
                number = product_number(str(update.properties["landstream:product"]))
                for tile in tiles_of(update):
                    found[update.week][tile].append(number)
        return {w: {t: sorted(n) for t, n in tiles.items()} for w, tiles in found.items()}

    def ledger_digest(self, sheet: Sheet, week: str) -> str | None:
        """Digest of the ledger expected over a sheet and its one-tile halo; None if nothing touches the sheet."""
        tiles = self._touched.get(week, {})
        if not any(sheet_of(tile) == sheet for tile in tiles):
            return None
        return digest_ledger({t: n for t, n in tiles.items() if in_halo(t, sheet)})

    def updates_of(self, sheet: Sheet, week: str) -> list[Item]:
        """The current Sentinel-2 cube updates that touch a sheet or its halo in a week, by id."""
        updates = (u for u in self.current("cube-updates", week) if u.properties.get("landstream:sensor") == "msi")
        return [u for u in updates if any(in_halo(t, sheet) for t in tiles_of(u))]

    def sheet_weeks(self) -> list[tuple[Sheet, str]]:
        """Every (sheet, week) that holds data, by week."""
        pairs = {(sheet_of(tile), week) for week, tiles in self._touched.items() for tile in tiles}
        return sorted(pairs, key=lambda p: (p[1], p[0]))

    def sheets_of(self, update: Item) -> list[tuple[Sheet, str]]:
        """The (sheet, week) pairs with data whose map a cube update concerns, halo included."""
        tiles = tiles_of(update) if update.properties.get("landstream:sensor") == "msi" else []
        return [p for p in self.sheet_weeks() if p[1] == update.week and any(in_halo(t, p[0]) for t in tiles)]


def product_version(item: Item) -> tuple[tuple[int, int, str], ...]:
    """The product's version as a sortable tuple: numbers before texts."""
    parts: Sequence[object] = item.properties.get("landstream:product_version", ())
    return tuple((0, int(p), "") if isinstance(p, int | float) else (1, 0, str(p)) for p in parts)


def tiles_of(update: Item) -> list[TileIndex]:
    """Tiles that a cube update touched, from its runs [row, first col, last col]."""
    runs: Iterable[Sequence[int]] = update.properties.get("landstream:tiles", ())
    return [TileIndex(row, col) for row, first, last in runs for col in range(first, last + 1)]


def runs_of(tiles: Iterable[TileIndex]) -> list[list[int]]:
    """Tiles as runs [row, first col, last col], ascending."""
    runs: list[list[int]] = []
    for row, col in sorted(tiles):
        if runs and runs[-1][0] == row and runs[-1][2] == col - 1:
            runs[-1][2] = col
        else:
            runs.append([row, col, col])
    return runs


def sheet_of(tile: TileIndex) -> Sheet:
    """The sheet that a tile lies in."""
    return tile.row // SHEET_TILES, tile.col // SHEET_TILES


def in_halo(tile: TileIndex, sheet: Sheet) -> bool:
    """Whether a tile lies in a sheet or in the one-tile halo around it."""
    rows, cols = sheet[0] * SHEET_TILES, sheet[1] * SHEET_TILES
    return -1 <= tile.row - rows <= SHEET_TILES and -1 <= tile.col - cols <= SHEET_TILES


def digest_ledger(ledger: Mapping[TileIndex, Sequence[int]]) -> str:
    """First 16 hex digits of the sha256 over tiles and the ascending product numbers merged into each."""
    rows = [[t.row, t.col, [f"{n:016x}" for n in numbers]] for t, numbers in sorted(ledger.items()) if numbers]
    return hashlib.sha256(canonical(rows)).hexdigest()[:16]


def _sheet(value: Sequence[int]) -> Sheet:
    return int(value[0]), int(value[1])
