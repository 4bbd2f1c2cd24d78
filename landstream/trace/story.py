"""The way of one scene, as data and for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

from shared.items.collections import LABELS, MASKS, OLCI_GRID, OLCI_L1B, UPDATES
from shared.items.item import Item
from shared.items.sheets import count_tiles
from shared.items.tiles import LABELS as LABELS_SENSOR


@dataclass(frozen=True)
class Step:
    """What became of a scene in a stage.

    Attributes:
        stage: the stage; empty where no stage is concerned.
        state: `done`, `failed`, `waiting`, or `ended`: there is no more to come.
        text: for people.
        collection: of what the stage made; empty where it made nothing.
    """

    stage: str
    state: Literal["done", "failed", "waiting", "ended"]
    text: str
    collection: str = ""


@dataclass
class Story:
    """The way of one scene.

    Attributes:
        product: full name of the product.
        week: `2018-W23`, or `static` for labels; empty where only the product could tell.
        place: MGRS tile, `OLCI`, or the collection; of what lies in `landing/`, where.
        arrived: when, as clocks here show it; empty where it did not.
        steps: what became of it, in the order of the stages.
        maps: sheet, model and path of the current maps that show it.
    """

    product: str
    week: str
    place: str
    arrived: str
    steps: list[Step] = field(default_factory=list)
    maps: list[dict[str, str]] = field(default_factory=list)

    def json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


def lines(story: Story) -> list[str]:
    """Return a story for people: the product, its way in a line, then what is to be said of its end."""
    arrow = {UPDATES: " -> "}
    way = "".join(f"{arrow.get(s.collection, ', ')}{s.text}" for s in story.steps if s.state in ("done", "ended"))
    where = " ".join(filter(None, (story.week, story.place)))
    arrived = f"arrived {story.arrived}" if story.arrived else "not arrived"
    found = [story.product, f"  {where}: {arrived}{way}"]
    found += [f"  failed in {step.stage}: {step.text}" for step in story.steps if step.state == "failed"]
    found += [f"  {step.text}" for step in story.steps if step.state == "waiting"]
    return [*found, *(f"  map {m['sheet']} by {m['model']}: {m['path']}" for m in story.maps)]


def place_of(item: Item) -> str:
    """Return where a scene lies, or what it is: its MGRS tile, `OLCI` or its collection."""
    place = {OLCI_L1B: "OLCI"}.get(item.collection, item.collection)
    return str(item.properties.get("landstream:mgrs_tile", place))


def describe(item: Item) -> str:
    """Return what people want to know of an item on a scene's way."""
    said = DESCRIBED.get(item.collection)
    return said(item) if said else item.collection


def _of_mask(mask: Item) -> str:
    return f"{float(mask.properties.get('landstream:usable_percent', 0.0)):.3g} % clear"


def _of_update(update: Item) -> str:
    if update.properties.get("landstream:sensor") == LABELS_SENSOR:
        return "in the cube"
    tiles = count_tiles(update.properties.get("landstream:tiles", ()))
    return {0: "no tile", 1: "1 tile"}.get(tiles, f"{tiles} tiles")


DESCRIBED: Final[Mapping[str, Callable[[Item], str]]] = {
    MASKS: _of_mask,
    OLCI_GRID: lambda grid: "on the lattice",
    LABELS: lambda labels: "burned",
    UPDATES: _of_update,
}
"""Collection -> what is said of one of its items."""
