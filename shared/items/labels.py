"""Which label delivery is burned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.items.collections import LABEL_POLYGONS
from shared.items.item import Item

if TYPE_CHECKING:
    from shared.items.catalogue import Catalogue


def label_winner(catalogue: Catalogue) -> Item | None:
    """Return the label delivery that is burned; None where none is of the area's source."""
    source = catalogue.area.labels.source
    fitting = [i for i in catalogue.current(LABEL_POLYGONS) if i.properties["landstream:label_source"] == source]
    return max(fitting, key=lambda delivery: label_rank(delivery, catalogue), default=None)


def label_rank(delivery: Item, catalogue: Catalogue) -> tuple[int, str, str, str]:
    """Return what a delivery wins by, the larger one: reference year nearest the area's, then campaign, release, id."""
    p = delivery.properties
    distance = abs(int(p["landstream:reference_year"]) - catalogue.area.label_year)
    return (-distance, str(p["landstream:campaign"]), str(p["landstream:release"]), delivery.id)
