"""The account of a week: how many products should be there, how far each came, and why it came no further."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, get_args

Step = Literal["expected", "found", "fetched", "masked", "tiled", "mapped"]
STEPS: Final[tuple[Step, ...]] = get_args(Step)
"""Where a product may be, in their order: the catalogue names it; a search, or a person, brought it; ..."""

UNEXPLAINED: Final = "unexplained"
"""What people read where nobody knows why."""


@dataclass(frozen=True)
class Followed:
    """A product, and how far it came.

    Attributes:
        product: full name.
        place: MGRS tile, `T34TFR`, or `olci`.
        reached: the last step that it took; `expected` = it is named by the catalogue alone.
        why: why it came no further, or what of it is not mapped yet; empty = nobody knows, or it is mapped.
        expected: whether the last recount of the catalogue named it; None = its week was not counted.
        why_unexpected: why the recount did not name it; empty = nobody knows, or it did.
    """

    product: str
    place: str
    reached: Step
    why: str = ""
    expected: bool | None = None
    why_unexpected: str = ""


@dataclass(frozen=True)
class Difference:
    """A step that a product did not take.

    Attributes:
        step: the step.
        product: full name of the product.
        reason: why; empty = nobody knows.
    """

    step: Step
    product: str
    reason: str


@dataclass(frozen=True)
class Line:
    """The account of a week and place.

    Attributes:
        week: `2018-W23`.
        place: MGRS tile, `T34TFR`, or `olci`.
        counts: step -> products that took it; `expected` is absent where the week was not counted.
        differences: what each product lacks, by step and name.
    """

    week: str
    place: str
    counts: Mapping[Step, int]
    differences: Sequence[Difference]

    @property
    def unexplained(self) -> int:
        """Differences that nobody knows the reason of."""
        return sum(not difference.reason for difference in self.differences)

    def json(self) -> dict[str, Any]:
        """Return it as JSON; `expected` is null where the week was not counted."""
        counts: dict[str, int | None] = {step: self.counts.get(step) for step in STEPS}
        differences = [asdict(difference) for difference in self.differences]
        return {"week": self.week, "tile": self.place, **counts, "differences": differences}


def lines_of(week: str, products: Iterable[Followed]) -> list[Line]:
    """Return the account of a week, a line for each place, by name."""
    places: dict[str, list[Followed]] = {}
    for followed in products:
        places.setdefault(followed.place, []).append(followed)
    return [Line(week, place, counts_of(found), _differences(found)) for place, found in sorted(places.items())]


def counts_of(products: Sequence[Followed]) -> dict[Step, int]:
    """Return step -> products that took it; without `expected` where no product's week was counted."""
    counts: dict[Step, int] = {
        step: sum(STEPS.index(p.reached) >= number for p in products) for number, step in enumerate(STEPS) if number
    }
    if all(p.expected is None for p in products):
        return counts
    return {"expected": sum(p.expected is True for p in products), **counts}


def _differences(products: Iterable[Followed]) -> list[Difference]:
    found = [difference for product in products for difference in differences_of(product)]
    return sorted(found, key=lambda d: (STEPS.index(d.step), d.product))


def differences_of(followed: Followed) -> list[Difference]:
    """Return what a product lacks: that it was expected, and the step after its last one."""
    found = []
    if followed.expected is False:
        found.append(Difference("expected", followed.product, followed.why_unexpected))
    if followed.reached != STEPS[-1]:
        lacking = STEPS[STEPS.index(followed.reached) + 1]
        found.append(Difference(lacking, followed.product, followed.why))
    elif followed.why:  # some sheets show it, others do not yet
        found.append(Difference(STEPS[-1], followed.product, followed.why))
    return found
