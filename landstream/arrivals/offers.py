"""Products of a catalogue as people and programs read them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from landstream.table import Column
from services.ingest.fetch.provider import Offer
from shared.sizes import human

COLUMNS: Final = (
    Column("product", copied=True),
    Column("sensed"),
    Column("published"),
    Column("size"),
    Column("cloud"),
    Column("online"),
    Column("quicklook", copied=True, below=True),
)

_ONLINE = {True: "yes", False: "no", None: ""}


def row(offer: Offer) -> tuple[str, ...]:
    """Return what `COLUMNS` say of a product; times are UTC, what the provider does not say is empty."""
    size = "" if offer.size is None else human(offer.size)
    cloud = "" if offer.cloud_percent is None else f"{offer.cloud_percent:.0f} %"
    times = (f"{offer.sensed:%Y-%m-%d %H:%M}", f"{offer.published:%Y-%m-%d %H:%M}")
    return offer.name, *times, size, cloud, _ONLINE[offer.online], offer.quicklook


def line(offer: Offer) -> str:
    """Return a product as JSON on one line; where its bytes lie is the provider's own affair."""
    return json.dumps(offer.model_dump(mode="json", exclude={"places"}), sort_keys=True)


@dataclass
class Total:
    """How many products there are, and of which size.

    Attributes:
        products: how many.
        size: bytes of those whose size is known.
        unknown: how many say no size.
    """

    products: int = 0
    size: int = 0
    unknown: int = 0

    def __str__(self) -> str:
        """Return it for people: `3 products, 2.4 GB`."""
        more = f", and {self.unknown} whose size is not stated" if self.unknown else ""
        return f"{self.products} product{'' if self.products == 1 else 's'}, {human(self.size)}{more}"


def total_of(offers: Iterable[Offer]) -> Total:
    """Count products; none of them is kept."""
    total = Total()
    for offer in offers:
        total.products += 1
        total.size += offer.size or 0
        total.unknown += offer.size is None
    return total
