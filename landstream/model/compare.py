"""Two models side by side: pure functions of their items and of the comparisons that were made of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from landstream.model.history import Model
from shared.items.catalogue import Catalogue
from shared.items.collections import EVALUATIONS
from shared.items.properties import EvaluationFacts
from shared.items.weeks import STATIC

SCORES = {"accuracy": "accuracy", "miou": "mIoU", "f1_macro": "macro F1", "majority_accuracy": "commonest class"}
"""Measure -> what people call it."""


@dataclass(frozen=True)
class Row:
    """One line of a comparison.

    Attributes:
        name: what is compared.
        first: of the first model, as text.
        second: of the second model, as text.
        difference: second less first, where both are numbers; else empty.
    """

    name: str
    first: str
    second: str
    difference: str = ""


def compare(first: Model, second: Model) -> list[Row]:
    """Return what two models were trained on, what their settings differ in, and how each scored on its hold-out."""
    return [*_trained(first, second), *_settings(first, second), *_scores(first, second)]


def are_scored_alike(first: Model, second: Model) -> bool:
    """Return whether both were scored on the same hold-out and weeks, so that a difference means something."""
    return all(_said(first, name) == _said(second, name) is not None for name in ("hold_out", "weeks"))


def comparisons(first: Model, second: Model, catalogue: Catalogue) -> list[EvaluationFacts]:
    """Return the comparisons of one model with the other that the trainer made, whichever was champion."""
    pairs = ((first.item.id, second.item.id), (second.item.id, first.item.id))
    return [
        facts
        for challenger, champion in pairs
        for item in catalogue.index(EVALUATIONS, STATIC, "challenger").get(challenger, ())
        if (facts := EvaluationFacts.of(item)).champion == champion
    ]


def spell_comparison(facts: EvaluationFacts) -> str:
    """Return what a comparison says in one line."""
    low, high = facts.gain.get("miou", (0.0, 0.0))
    gain = f", gain in mIoU [{low:+.3f}, {high:+.3f}]" if facts.gain else ""
    return f"{facts.challenger} against {facts.champion}: {facts.verdict}{gain} on {facts.blocks} blocks"


def _said(model: Model, name: str) -> Any:
    return model.item.properties.get(f"landstream:{name}")


def _trained(first: Model, second: Model) -> Iterator[Row]:
    yield Row("trained on", _weeks(first), _weeks(second))
    yield Row("hold-out", *(_spell(_said(model, "hold_out")) for model in (first, second)))


def _settings(first: Model, second: Model) -> Iterator[Row]:
    one, other = (_said(model, "training") or {} for model in (first, second))
    for name in sorted({*one, *other}):
        if one.get(name) != other.get(name):
            yield Row(name, _spell(one.get(name)), _spell(other.get(name)))


def _scores(first: Model, second: Model) -> Iterator[Row]:
    for name, text in SCORES.items():
        yield _score(text, first.metrics.get(name), second.metrics.get(name))
    classes = (model.metrics.get("per_class", {}) for model in (first, second))
    one, other = ({row["name"]: row.get("iou") for row in rows.values()} for rows in classes)
    for name in dict.fromkeys([*one, *other]):
        yield _score(f"IoU {name}", one.get(name), other.get(name))


def _score(name: str, first: float | None, second: float | None) -> Row:
    difference = "" if first is None or second is None else f"{second - first:+.3f}"
    return Row(name, _spell(first), _spell(second), difference)


def _spell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3f}" if value >= 0.001 or value == 0 else f"{value:g}"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _weeks(model: Model) -> str:
    weeks = _said(model, "weeks") or ["-"]
    span = str(weeks[0]) if len(weeks) == 1 else f"{weeks[0]} to {weeks[-1]}, {len(weeks)} weeks"
    return f"elsewhere; scored on {span}" if model.is_imported else span
