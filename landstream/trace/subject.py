"""What a trace is asked of: a product, an MGRS tile, a week, a delivery of labels."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from services.ingest.names import SafeName, parse_label, parse_product
from shared.geo import MgrsTile
from shared.items.weeks import STATIC, BadKey, check_week


class NothingToTrace(ValueError):
    """Raised when what is asked for names no scene, tile or week."""


@dataclass(frozen=True)
class Subject:
    """Whose way is asked for: a product, an MGRS tile, a week, or a delivery of labels.

    Attributes:
        text: what was asked.
        week: the week that it lies in; empty = any.
        product: full name of a product, or name of a delivery of labels; empty = any.
        tile: MGRS tile, `T34TGR`; empty = any.
    """

    text: str
    week: str = ""
    product: str = ""
    tile: str = ""

    def names(self, product: str) -> bool:
        """Return whether a product, judged by its name, is one that is asked for."""
        if self.product:
            return product == self.product
        parsed = parse_product(product)
        if parsed is None:
            return False
        if self.tile:
            return isinstance(parsed, SafeName) and parsed.mgrs_tile == self.tile
        return parsed.week == self.week


def read_subject(text: str) -> Subject:
    """Return what a text names: `2018-W23`, `T34TGR`, `34TGR`, a product's name or path, a label delivery's.

    Raises:
        NothingToTrace: none of these.
    """
    name = text.rstrip("/").rpartition("/")[2]
    with suppress(ValueError):
        return Subject(text, tile=MgrsTile.parse(name.upper()).name)
    if parsed := parse_product(name):
        return Subject(text, week=parsed.week, product=parsed.product)
    if not name or name == STATIC:
        raise NothingToTrace(f"{text!r}: neither a product, nor an MGRS tile, nor a week")
    with suppress(BadKey):
        return Subject(text, week=check_week(name))
    return Subject(text, week=STATIC, product=parse_label(name).product)
