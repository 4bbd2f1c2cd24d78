"""Hectares and accuracies that allow for a map's errors: Olofsson et al. 2014, "Good practices for estimating area".

The strata are the mapped classes; what labels say of a stratum's labelled pixels is taken to hold for all of it. Labels
are no probability sample: they lie where somebody mapped polygons, so what is unlabelled may differ, and no interval
holds that. The ground is that of the held-out blocks, not the whole area: the network has seen the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from services.trainer.bootstrap import draw_blocks, interval_of
from services.trainer.places import Place

PIXEL_HA = 0.01
"""Hectares of a 10 m pixel."""

Z_95 = 1.959964
"""Half width of a 95 % interval in standard errors."""

Array = npt.NDArray[Any]


class MappedArea:
    """Adds up what a network maps, labelled or not.

    A block counts with as much ground as its clearest week shows, dealt to the classes as all its weeks are mapped:
    more weeks are no more ground.

    Args:
        classes: number of classes.
    """

    def __init__(self, classes: int) -> None:
        self._classes = classes
        self._counts: dict[tuple[int, int], Array] = {}
        self._clearest: dict[tuple[int, int], int] = {}

    def add(self, places: Sequence[Place], mapped: Array) -> None:
        """Add blocks: n blocks in weeks, uint8 (n, y, x) with 0 = not mapped."""
        for place, values in zip(places, mapped, strict=True):
            block = place.row, place.col
            counts = np.bincount(values.ravel(), minlength=self._classes + 1)[1:].astype(np.int64)
            self._counts[block] = self._counts.get(block, 0) + counts
            self._clearest[block] = max(self._clearest.get(block, 0), int(counts.sum()))

    def hectares(self) -> Array:
        """Return the mapped hectares of each class: float64 (class,)."""
        total = np.zeros(self._classes)
        for block in sorted(self._counts):
            counts = self._counts[block]
            total += counts * (self._clearest[block] / max(int(counts.sum()), 1))
        return total * PIXEL_HA


def estimate_shares(confusions: Array, mapped: Array) -> Array:
    """Estimate the share of the ground that is of a class and mapped as a class (equation 4 of the paper).

    Args:
        confusions: int (..., classes, classes): rows reference, columns map; labelled pixels.
        mapped: float (classes,), area of each stratum in any unit.

    Returns:
        float64 (..., classes, classes), rows reference, columns map. A stratum without a labelled pixel is 0:
        nothing is known of it.
    """
    sampled = confusions.sum(axis=-2, keepdims=True)
    shares: Array = confusions / np.maximum(sampled, 1) * (mapped / max(float(mapped.sum()), 1e-12))
    return shares


def measure_shares(shares: Array) -> dict[str, Array]:
    """Measures of estimated shares (equations 1 to 3).

    Args:
        shares: float64 (..., classes, classes), rows reference, columns map.

    Returns:
        `accuracy` (...); `users`, `producers` and `area` (..., classes), shares; 0 where it would be 0 / 0.
    """
    hit = np.diagonal(shares, axis1=-2, axis2=-1)
    reference, mapped = shares.sum(axis=-1), shares.sum(axis=-2)
    return {
        "accuracy": hit.sum(axis=-1),
        "users": _ratio(hit, mapped),
        "producers": _ratio(hit, reference),
        "area": reference,
    }


def textbook_errors(confusion: Array, mapped: Array) -> dict[str, Array]:
    """Return the standard errors of the measures were pixels independent (equations 5 to 7 and 10).

    Pixels of a block err together, so these are far too small here; they are the yardstick that papers print.

    Args:
        confusion: int (classes, classes): rows reference, columns map; sampled pixels.
        mapped: float (classes,), area of each stratum in any unit.

    Returns:
        `accuracy` (); `users`, `producers` and `area` (classes,), of shares; NaN where a stratum that counts has
        fewer than two sampled pixels.
    """
    sampled = confusion.sum(axis=0)
    weight = mapped / mapped.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        share = confusion / sampled
        variance = share * (1 - share) / (sampled - 1)  # of each cell within its stratum
        users_variance = np.diag(variance)
        joint = np.where(weight > 0, weight * share, 0.0)
        reference = joint.sum(axis=1)
        producers = np.diag(joint) / reference
        weighed = np.where(weight > 0, weight**2 * variance, 0.0)
        own = np.diag(weighed)
        others = weighed.sum(axis=1) - own
        producers_variance = ((1 - producers) ** 2 * own + producers**2 * others) / reference**2
        return {
            "accuracy": np.sqrt(own.sum()),
            "users": np.sqrt(users_variance),
            "producers": np.sqrt(producers_variance),
            "area": np.sqrt(weighed.sum(axis=1)),
        }


def estimate_areas(blocks: Array, mapped_ha: Array) -> dict[str, Any]:
    """`area` of `landstream:metrics`: adjusted accuracies and hectares, with intervals from drawing blocks.

    The mapped areas are counted, not sampled: they are the same in each draw. A stratum that a draw leaves without a
    labelled pixel is as in the whole sample there.

    Args:
        blocks: int64 (block, classes, classes): rows reference, columns map.
        mapped_ha: float (classes,): mapped hectares of each class, labelled or not.

    Returns:
        `ground_ha`, of which `unassessed_ha` are mapped as classes without a labelled pixel; `accuracy` with
        `accuracy_95`, and `accuracy_if_independent_95` as the textbook has it; `classes`: value -> `mapped_ha`,
        `adjusted_ha`, `users` and `producers`, each with its `_95`, and `adjusted_ha_if_independent_95`. Empty without
        labelled pixels.
    """
    confusion = blocks.sum(axis=0)
    assessed = np.where(confusion.sum(axis=0) > 0, mapped_ha, 0.0)
    ground = float(assessed.sum())
    if not ground:
        return {}
    drawn = draw_blocks(blocks)
    drawn = np.where(drawn.sum(axis=-2, keepdims=True) > 0, drawn, confusion)
    found, spread = (measure_shares(estimate_shares(c, assessed)) for c in (confusion, drawn))
    error = textbook_errors(confusion, assessed)
    return {
        "ground_ha": round(float(mapped_ha.sum()), 2),
        "unassessed_ha": round(float(mapped_ha.sum()) - ground, 2),
        "accuracy": round(float(found["accuracy"]), 6),
        "accuracy_95": interval_of(spread["accuracy"]),
        "accuracy_if_independent_95": _textbook(float(found["accuracy"]), float(error["accuracy"])),
        "classes": {
            str(i + 1): {
                "mapped_ha": round(float(mapped_ha[i]), 2),
                "adjusted_ha": round(float(found["area"][i]) * ground, 2),
                "adjusted_ha_95": [round(v * ground, 2) for v in interval_of(spread["area"][:, i])],
                "adjusted_ha_if_independent_95": _textbook(found["area"][i] * ground, error["area"][i] * ground),
                **_shares_of_class(found, spread, i),
            }
            for i in range(len(mapped_ha))
        },
    }


def _shares_of_class(found: Mapping[str, Array], spread: Mapping[str, Array], i: int) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for name in ("users", "producers"):
        facts[name] = round(float(found[name][i]), 6)
        facts[f"{name}_95"] = interval_of(spread[name][:, i])
    return facts


def _textbook(middle: float, error: float) -> list[float] | None:
    """[low, high] of a normal interval; None where it cannot be told."""
    if not np.isfinite(error):
        return None
    return [round(float(middle - Z_95 * error), 6), round(float(middle + Z_95 * error), 6)]


def _ratio(above: Array, below: Array) -> Array:
    result: Array = np.divide(above, below, out=np.zeros_like(above, dtype=np.float64), where=below > 0)
    return result
