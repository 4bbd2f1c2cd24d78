"""A STAC item as the services see it: an immutable view of its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydantic_core import from_json

from shared.items.ids import split_id
from shared.items.keys import item_key


class BadItem(ValueError):
    """Raised when bytes below `items/` are not an item: something else wrote them."""


@dataclass(frozen=True)
class Item:
    """One committed item.

    Args:
        json: the STAC item.
        week: `2018-W23`, or `static`: the folder it lies in.

    Attributes:
        id: `<product>--v<stage version>-<digest8>`, or `<name>-<number>` in a numbered collection.
        collection: collection id.
        product: root of the id: the product name of a scene, the name in a numbered collection.
        stage_version: version of the stage that made it; 0 in a numbered collection.
        digest: first 8 hex digits of the sha256 over inputs and result-bearing settings; empty where it is numbered.
        number: its number in a numbered collection; 0 elsewhere.
    """

    json: Mapping[str, Any]
    week: str
    id: str = field(init=False, repr=False, compare=False)
    collection: str = field(init=False, repr=False, compare=False)
    product: str = field(init=False, repr=False, compare=False)
    stage_version: int = field(init=False, repr=False, compare=False)
    digest: str = field(init=False, repr=False, compare=False)
    number: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Set here and not when they are asked for: a look at a large store asks for each of them a million times.
        parsed = split_id(str(self.json["id"]))
        self.__dict__.update(
            id=parsed.text,
            collection=str(self.json["collection"]),
            product=parsed.product,
            stage_version=parsed.version,
            digest=parsed.digest,
            number=parsed.number,
        )

    def __hash__(self) -> int:
        return hash((self.collection, self.id))

    @classmethod
    def parse(cls, data: bytes, week: str) -> Item:
        """Read an item's bytes.

        Raises:
            BadItem: they are not a STAC item with an id of ours, and what each of ours has: geometry, bbox and time.
        """
        try:
            item = cls(from_json(data), week)
            json = item.json
            if not (isinstance(json["properties"], dict) and isinstance(json["assets"], dict)):
                raise TypeError("properties or assets are not objects")
            if not isinstance(json["links"], list):
                raise TypeError("links are not a list")
            box = json["bbox"]
            if not (isinstance(json["geometry"], dict) and isinstance(box, list) and len(box) == 4):
                raise TypeError("the geometry is not an object, or the bbox not west, south, east, north")
            sum(box)  # the quickest way to refuse what is not a number: a listing reads a hundred thousand items
            for time in item.times:
                if not isinstance(time, str):
                    raise TypeError("a time is not text")
            _ = item.key
        except (ValueError, TypeError, KeyError) as error:
            raise BadItem(f"not an item: {type(error).__name__} {str(error)[:200]}") from error
        return item

    @property
    def properties(self) -> Mapping[str, Any]:
        """STAC properties."""
        result: Mapping[str, Any] = self.json["properties"]
        return result

    @property
    def assets(self) -> Mapping[str, Any]:
        """STAC assets."""
        result: Mapping[str, Any] = self.json["assets"]
        return result

    @property
    def times(self) -> tuple[str, ...]:
        """The moment that it is of, or the start and the end of its span; as STAC writes them."""
        p = self.properties
        moment = p.get("datetime")
        return (moment,) if moment else (p["start_datetime"], p["end_datetime"])

    @cached_property
    def key(self) -> str:
        """Its key in the store."""
        return item_key(self.collection, self.week, self.id)

    @cached_property
    def derived_from(self) -> tuple[tuple[str, str], ...]:
        """(collection, id) of each input."""
        return tuple(tuple(pair) for pair in self.properties.get("landstream:inputs", ()))

    @cached_property
    def sources(self) -> tuple[tuple[str, str, str], ...]:
        """(collection, week, id) of each input: what the `derived_from` links lead to."""
        hrefs = (str(link["href"]) for link in self.json.get("links", ()) if link.get("rel") == "derived_from")
        return tuple((c, w, name.removesuffix(".json")) for c, w, name in (href.split("/")[-3:] for href in hrefs))
