"""Which label delivery is burned."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from shared.items.collections import LABEL_POLYGONS, LABEL_RASTERS
from shared.items.item import Item

if TYPE_CHECKING:
    from shared.items.catalogue import Catalogue


DELIVERIES: Final = (LABEL_POLYGONS, LABEL_RASTERS)
"""Collections of labels as delivered."""

_EDITION: Final = re.compile(r"V(\d{2,4})[_.](\d+)(?:[_.](\d+))?(?:([BU])(\d*))?(?![A-Z0-9])", re.IGNORECASE)


def label_winner(catalogue: Catalogue) -> Item | None:
    """Return the label delivery that is burned; None where none is of the area's source."""
    source = catalogue.area.labels.source
    delivered = (item for collection in DELIVERIES for item in catalogue.current(collection))
    fitting = [i for i in delivered if i.properties["landstream:label_source"] == source]
    return max(fitting, key=lambda delivery: label_rank(delivery, catalogue), default=None)


def label_rank(delivery: Item, catalogue: Catalogue) -> tuple[int, str, str, str]:
    """Return what a delivery wins by, the larger one: reference year nearest the area's, then campaign, edition, id.

    Polygons win over the raster that was made of them.
    """
    p = delivery.properties
    distance = abs(int(p["landstream:reference_year"]) - catalogue.area.label_year)
    edition = edition_order(str(p["landstream:release"]))
    if delivery.collection == LABEL_RASTERS:
        edition = edition[:-1]  # sorts right before its edition, as cubes keep this text and have no place for more
    return (-distance, str(p["landstream:campaign"]), edition, delivery.id)


def edition_order(release: str) -> str:
    """Return text by which the editions of a campaign sort as EEA counts them.

    The beta `20b2` comes before the edition `20`, its update `20u1` after it, whatever follows in an archive's name.

    Args:
        release: `V2020_20u1`, `V2018_20`, `V18_5`, `V2020_20_fgdb`, in any case; other text is returned as it is.
    """
    match = _EDITION.match(release)
    if match is None:
        return release
    year, edition, minor, kind, number = match.groups(default="")
    # Lower case, so that it sorts after whatever a cube's labels won by when releases sorted as they are written.
    return f"v{year:0>4}_{edition:0>4}.{minor:0>4}{kind.lower() or 'f'}{number:0>4}"
