"""What people and programs are told of a model."""

from __future__ import annotations

import json
from typing import Any

from landstream.model.history import Model
from landstream.report import item_line
from landstream.result import place_of
from shared.items.claim import claim
from shared.items.item import Item
from shared.items.model_inputs import inputs_of_model, spell_inputs
from shared.items.properties import PromotionFacts
from shared.store import Store


def line(store: Store, model: Model) -> str:
    """Return the item (JSON) with its place among the champions on one line."""
    item: dict[str, Any] = json.loads(item_line(store, model.item))
    promoted = [{"number": p.number, **_why(p)} for p in model.promotions]
    said = {"promotions": promoted, "champion": model.is_champion, "imported": model.is_imported}
    return json.dumps({**item, **said})


def _why(promotion: Item) -> dict[str, str | None]:
    said = PromotionFacts.of(promotion)
    return {"rule": said.rule, "reason": said.reason}


def _score(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else "-"


def _claimed(model: Model, name: str) -> str:
    split, metrics = claim(model.metrics)
    if metrics.get(name) is None:
        return "-"
    found = metrics.get("interval_95", {}).get(name)
    return _score(metrics[name]) + (f" [{found[0]:.3f}, {found[1]:.3f}]" if found else "") + f" on the {split}"


def _weeks(model: Model) -> str:
    weeks = model.item.properties.get("landstream:weeks") or ["-"]
    return weeks[0] if len(weeks) == 1 else f"{weeks[0]} to {weeks[-1]}"


def _origin(model: Model) -> tuple[str, str]:
    """Return what is said of where a model comes from: a label, and the weeks that it was trained or scored on."""
    if not model.is_imported:
        return "trained on", _weeks(model)
    name = model.item.properties.get("mlm:name", "a model")
    return "imported", f"{name}; scored on {_weeks(model)}, what it was trained on is not known"


def row(store: Store, model: Model) -> tuple[str, ...]:
    """Return a model's line in a table of all: promotions, weeks, what it claims, id and card."""
    numbers = ", ".join(str(p.number) for p in model.promotions) or "-"
    return (
        f"{numbers} (champion)" if model.is_champion else numbers,
        f"{_weeks(model)} (imported)" if model.is_imported else _weeks(model),
        *(_score(claim(model.metrics).metrics.get(name)) for name in ("accuracy", "miou")),
        model.item.id,
        place_of(store, model.item, "card"),
    )


def _further(model: Model) -> list[tuple[str, str]]:
    """Return the figures that models of before lack: gain over boosting, calibration, applicability, hectares."""
    metrics = model.metrics
    found = []
    if gain := metrics.get("boosting", {}).get("gain_95", {}).get("miou"):
        found.append(("gain", f"[{gain[0]:+.3f}, {gain[1]:+.3f}] mIoU over boosting on multi-scale features"))
    if calibration := metrics.get("calibration"):
        low, high = calibration["interval_95"]["ece"]
        found.append(("calibration", f"{calibration['ece']:.3f} [{low:.3f}, {high:.3f}], error of the confidence"))
    if applies := metrics.get("applicability"):
        parts = [
            f"accuracy {_score(applies[side]['accuracy'])} {side}" for side in ("inside", "outside") if side in applies
        ]
        told = f"{applies['inside_percent']:.1f} % of held-out pixels are in its area of applicability"
        found.append(("applies", "; ".join([told, *parts])))
    for value, row in metrics.get("area", {}).get("classes", {}).items():
        if row["mapped_ha"] or row["adjusted_ha"]:
            (low, high), name = row["adjusted_ha_95"], metrics["per_class"][value]["name"]
            told = f"{row['adjusted_ha']:,.1f} [{low:,.1f}, {high:,.1f}] {name}, mapped {row['mapped_ha']:,.1f}"
            found.append(("hectares", f"{told}; held-out blocks"))
    return found


def facts(store: Store, model: Model) -> list[str]:
    """Return all that people are told of a model, a line for each fact."""
    properties = model.item.properties
    told = [
        ("model", f"{model.item.id}{', the champion' if model.is_champion else ''}"),
        ("card", place_of(store, model.item, "card")),
        ("archive", place_of(store, model.item, "model")),
        _origin(model),
        ("reads", spell_inputs(inputs_of_model(model.item))),
        ("settings", ", ".join(f"{k} {v}" for k, v in properties.get("landstream:training", {}).items())),
        *((label, _claimed(model, name)) for label, name in (("accuracy", "accuracy"), ("mIoU", "miou"))),
    ]
    told += [
        ("IoU", f"{_score(row.get('iou'))} {row['name']} ({row['support']:,} pixels)")
        for row in model.metrics.get("per_class", {}).values()
    ]
    told += _further(model)
    for promotion in model.promotions:
        why = _why(promotion)
        told.append(("promoted", f"number {promotion.number}, {why['reason'] or why['rule'] or 'by a person'}"))
    return [f"{name:<12}{text}" for name, text in told if text]
