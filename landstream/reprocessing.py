"""Order a stage's older results to be made again, and count them."""

from __future__ import annotations

from shared.items.catalogue import Catalogue
from shared.items.ids import split_id
from shared.items.keys import order_key
from shared.stage.declare import AnyStage, published
from shared.stage.due import LANDING
from shared.store import Store

ALL_WEEKS = "all"


class NothingToOrder(ValueError):
    """Raised when an order to a stage would change nothing, whatever the store holds."""


def count_older(stage: AnyStage, catalogue: Catalogue, week: str = ALL_WEEKS) -> dict[str, int]:
    """Return week -> how many results of a stage no run of its present version has made; no item is read.

    Args:
        stage: the stage.
        catalogue: what exists.
        week: `2018-W23`, `static` or `all`.
    """
    found: dict[str, int] = {}
    for collection in published(stage):
        for name in catalogue.weeks(collection):
            if week in (name, ALL_WEEKS) and (older := _older(stage, catalogue, collection, name)):
                found[name] = found.get(name, 0) + older
    return dict(sorted(found.items()))


def _older(stage: AnyStage, catalogue: Catalogue, collection: str, week: str) -> int:
    newest: dict[tuple[str, str], int] = {}
    for made in map(split_id, catalogue.ids(collection, week)):
        result = made.product, made.digest
        newest[result] = max(made.version, newest.get(result, 0))
    return sum(version < stage.version for version in newest.values())


def order(store: Store, stage: AnyStage, week: str = ALL_WEEKS) -> None:
    """Leave a standing order: results of versions of a stage before its present one are due again.

    Raises:
        NothingToOrder: the stage registers what is delivered, and a unit is dealt with once.
    """
    if LANDING in stage.consumes:
        raise NothingToOrder(
            f"{stage.name} registers what is delivered and makes nothing of the store's own; deliver the product again"
        )
    store.put(order_key(stage.name, week, stage.version), b"{}")
