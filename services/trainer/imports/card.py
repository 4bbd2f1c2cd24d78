"""Write the card of a model that people brought: one page that says what is known of it, and what is not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from shared.area import Area
from shared.items.model_card import ModelCard
from shared.items.properties import ModelFacts, ModelImportFacts

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#222;max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;margin:.5rem 0}td,th{padding:.2rem .7rem;border-bottom:1px solid #ddd;text-align:right}
td:first-child,th:first-child{text-align:left}code{font-size:.85em;overflow-wrap:anywhere}
"""
_UNKNOWN = (
    "This model was <b>imported</b>: it was not trained here. <b>Whether it has seen the hold-out is not known</b>; if "
    "it has, it scores better here than on new ground, and its comparison with the champion flatters it."
)
_MEASURES = {
    "miou": "Mean IoU",
    "accuracy": "Accuracy",
    "f1_macro": "Macro F1",
    "majority_accuracy": "Accuracy of the most frequent class",
}


def write_card(area: Area, brought: ModelImportFacts, stated: ModelCard, model: ModelFacts) -> str:
    """Write the page as HTML; the same arguments give the same bytes.

    Args:
        area: whose cube it was scored on.
        brought: what the import says.
        stated: what its owner's card says.
        model: what its item says.
    """
    title = f"Imported land-cover model of {area.name}: {stated.name}"
    metrics = model.metrics
    rows = [(text, _with_interval(metrics, name)) for name, text in _MEASURES.items()]
    per_class = [
        (f"{value} {escape(str(row['name']))}", *(f"{row[n]:.3f}" for n in ("iou", "precision", "recall", "f1")))
        for value, row in metrics["per_class"].items()
    ]
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(brought.title)}</p><p>{_UNKNOWN}</p>",
        "<h2>Scores on the hold-out</h2>",
        f"<p>{metrics['pixels']:,} pixels in {metrics['blocks']:,} blocks, as models that are trained here are scored. "
        "Brackets hold 95 % of 1,000 draws of these blocks.</p>",
        _table(("", "model"), rows),
        "<h2>Classes</h2>",
        _table(("class", "IoU", "precision", "recall", "F1"), per_class),
        "<h2>What its owner says</h2>",
        _table(("", ""), _said(stated)),
        "<h2>Data and identity</h2>",
        _table(("", ""), _identity(area, brought, model)),
        f"<p>{escape(model.attribution)}</p>",
    ]
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>\n'


def _said(stated: ModelCard) -> list[tuple[str, str]]:
    facts = {
        "architecture": stated.architecture,
        "pretrained": "not said" if stated.pretrained is None else str(stated.pretrained),
        "pretrained on": stated.pretrained_source or "not said",
        "hyperparameters": json.dumps(stated.hyperparameters),
    }
    return [(name, f"<code>{escape(value)}</code>") for name, value in facts.items()]


def _identity(area: Area, brought: ModelImportFacts, model: ModelFacts) -> list[tuple[str, str]]:
    facts = {
        "scored on the weeks": f"{model.weeks[0]} to {model.weeks[-1]} ({len(model.weeks)})",
        "label scheme, year": f"{area.labels.scheme}, {area.label_year}",
        "hold-out": str(model.hold_out),
        "archive sha256": brought.sha256,
        "weights sha256": model.weights_sha256,
        "probe sha256": model.probe_sha256,
        "snapshot": model.snapshot,
    }
    return [(name, f"<code>{escape(value)}</code>") for name, value in facts.items()]


def _with_interval(metrics: Mapping[str, Any], name: str) -> str:
    found = metrics["interval_95"].get(name)
    return f"{metrics[name]:.3f}" + (f" [{found[0]:.3f}, {found[1]:.3f}]" if found else "")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of cells that are HTML already."""
    top = "".join(f"<th>{cell}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"
