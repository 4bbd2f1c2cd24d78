"""Write a model's card: one self-contained page with its scores, plots, data and limits."""

from __future__ import annotations

import base64
import io
import json
import os
import textwrap
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from services.trainer.examples import Example
from services.trainer.names import describe
from shared.area import Area
from shared.area.recipe import Loss
from shared.items.collections import MAPS, MODELS
from shared.items.keys import artifact_key
from shared.items.properties import ModelFacts
from shared.items.weeks import STATIC, spell_week
from shared.raster.lettering import class_label
from shared.raster.render import enlarge, hatch_unseen, render_classes, render_true_colour

Array = npt.NDArray[Any]

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#222;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin-bottom:0}h2{font-size:1.15rem;margin-top:2rem}
table{border-collapse:collapse;margin:.5rem 0}td,th{padding:.2rem .7rem;border-bottom:1px solid #ddd;text-align:right}
td:first-child,th:first-child{text-align:left}img{max-width:100%}code{font-size:.85em;overflow-wrap:anywhere}
.swatch{display:inline-block;width:.8em;height:.8em;margin-right:.4em;border:1px solid #888}
"""

_WHAT = "Land cover from one week of Sentinel-2 (ten bands at 10 and 20 m): {}."
_HOLDOUT = (
    "Blocks of 1.28 km that no training pixel lies in or within 30 m of; every observed labelled pixel of every week "
    "counts. Means run over the classes present in the reference."
)
_INTERVALS = (
    "Brackets hold 95 % of 1,000 draws of these blocks: another hold-out of this size, from the same land, would score "
    "there. A gain whose brackets hold 0 is none."
)
LABEL_SIGNS = 34
"""Signs in a line of a class's name beside a plot."""

EXAMPLE_SCALE = 2
"""Side of an example's pixel on the card."""

_MAPS_HREF = os.path.relpath(
    f"{MAPS}/collection.json", os.path.dirname(artifact_key(MODELS, STATIC, "any", "card", "0" * 64, ".html"))
)
"""From the folder of a model's card, whatever the model is called."""

_LOSSES: Mapping[Loss, str] = {"cross_entropy": "cross-entropy", "focal": "focal loss", "dice": "dice loss"}
_FACTS = ("windows", "determinism", "model_version", "weights_sha256", "probe_sha256", "cube_state", "snapshot")
_LIMITS = (
    "The score holds for the area, the weeks and the label scheme above; nothing is said of others.",
    "Labels have a smallest mapped unit and a reference year: part of the error is theirs.",
    "A polygon may reach over the edge of a block: scores are a little better than on ground far away.",
    "Confidence is the network's own share for the chosen class; it is not calibrated.",
)


def write_card(
    area: Area,
    model: ModelFacts,
    losses: Mapping[str, list[float]],
    holdout: Array,
    examples: Sequence[Example] = (),
) -> str:
    """Write the page as HTML; the same arguments give the same bytes.

    Args:
        area: whose model it is.
        model: what its item says.
        losses: network -> mean loss of each epoch.
        holdout: uint8 (block row, block col): 0 unlabelled, 1 train, 2 hold-out.
        examples: held-out blocks.
    """
    title = f"Land-cover model of {area.name}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{_WHAT.format(describe(area.training))}</p>",
        f'<p>Its maps: <a href="{_MAPS_HREF}">{MAPS}</a> of the store that this card lies in.</p>',
        *_scores(model.metrics),
        _cross_validation(model.folds),
        *_classes(area, model.metrics),
        *_examples(area, examples),
        "<h2>Training</h2>",
        _image("Mean loss of each epoch", _plot_losses(losses, _LOSSES[area.training.loss])),
        _image("Split: train (blue), hold-out (orange), unlabelled (grey)", _plot_split(holdout)),
        *_identity(area, model),
        "<h2>Limits</h2>",
        "<ul>" + "".join(f"<li>{limit}</li>" for limit in _LIMITS) + "</ul>",
        f"<p>{escape(model.attribution)}</p>",
    ]
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>\n'


def _scores(metrics: Mapping[str, Any]) -> list[str]:
    forest, gain = metrics["forest"], metrics["gain_95"]
    named = {"miou": "Mean IoU", "accuracy": "Accuracy"}
    rows = [
        (text, _with_interval(metrics, name), _with_interval(forest, name), _interval(gain, name, "+.3f"))
        for name, text in named.items()
    ]
    alone = {
        "majority_accuracy": "Accuracy of the most frequent class",
        "f1_macro": "Macro F1",
        "precision_macro": "Macro precision",
        "recall_macro": "Macro recall",
    }
    rows += [(text, _share(metrics[name]), "", "") for name, text in alone.items()]
    head = ("", "model", "random forest per pixel", "gain over the random forest")
    return [
        "<h2>Scores on the hold-out</h2>",
        f"<p>{_HOLDOUT} Here {metrics['pixels']:,} pixels in {metrics['blocks']:,} blocks. {_INTERVALS}</p>",
        _table(head, rows),
    ]


def _classes(area: Area, metrics: Mapping[str, Any]) -> list[str]:
    colors = {str(value): c.color for value, c in area.labels.values.items()}
    per_class, forest_iou = metrics["per_class"], metrics["forest"]["iou"]
    names = {value: str(row["name"]) for value, row in per_class.items()}
    labels = {v: _label(v, names[v], str(row["code"])) for v, row in per_class.items()}
    used = [value for value, row in per_class.items() if row["support"]]
    rows = [
        (
            f'<span class="swatch" style="background:{colors[value]}"></span>{value} {escape(names[value])}',
            *(_share(number) for number in (row["iou"], forest_iou[value])),
            *(_share(row[name]) for name in ("precision", "recall", "f1")),
            f"{row['support']:,}",
        )
        for value, row in per_class.items()
    ]
    return [
        "<h2>Classes</h2>",
        _table(("class", "IoU", "random forest IoU", "precision", "recall", "F1", "pixels"), rows),
        _image(
            "IoU of each class, beside the random forest", _plot_classes(used, labels, colors, per_class, forest_iou)
        ),
        _image(
            "Confusion: rows reference, columns map, share of the reference; columns are numbered as rows are",
            _plot_confusion(used, labels, metrics),
        ),
    ]


def _identity(area: Area, model: ModelFacts) -> list[str]:
    weeks = model.weeks
    facts = {
        "weeks": f"{weeks[0]} to {weeks[-1]} ({len(weeks)})",
        "label scheme, year": f"{area.labels.scheme}, {area.label_year}",
        "level": area.level,
        "training": json.dumps(area.training.model_dump(mode="json")),
    } | {name: json.dumps(getattr(model, name)).strip('"') for name in _FACTS}
    rows = [(escape(name), f"<code>{escape(value)}</code>") for name, value in facts.items()]
    return ["<h2>Data and identity</h2>", _table(("", ""), rows)]


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _with_interval(scores: Mapping[str, Any], name: str) -> str:
    return f"{_share(scores[name])} {_interval(scores['interval_95'], name)}".strip()


def _interval(found: Mapping[str, Sequence[float]], name: str, form: str = ".3f") -> str:
    return f"[{found[name][0]:{form}}, {found[name][1]:{form}}]" if name in found else ""


def _cross_validation(folds: Mapping[str, Any]) -> str:
    if not folds["count"]:
        return "<p>No cross-validation was asked for.</p>"
    rows = [
        (
            str(i),
            *(_share(fold[n]) for n in ("miou", "accuracy", "f1_macro", "majority_accuracy")),
            f"{fold['pixels']:,}",
        )
        for i, fold in enumerate(folds["each"], start=1)
    ]
    mean = (f"{folds[n]['mean']:.3f} ± {folds[n]['sd']:.3f}" for n in ("miou", "accuracy", "f1_macro"))
    head = ("fold", "mean IoU", "accuracy", "macro F1", "most frequent class", "pixels")
    pooled = folds["pooled"]
    pooled_row = (
        "all pixels",
        *(_share(pooled[n]) for n in ("miou", "accuracy", "f1_macro")),
        "",
        f"{pooled['pixels']:,}",
    )
    return "<h2>Cross-validation over blocks</h2>" + _table(head, [*rows, ("mean ± sd", *mean, "", ""), pooled_row])


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"


def _image(caption: str, figure: Figure) -> str:
    buffer = io.BytesIO()
    # Without this field the picture holds no version of the plotting library: the same figures, the same bytes.
    figure.savefig(buffer, format="png", dpi=100, metadata={"Software": None})
    data = base64.b64encode(buffer.getvalue()).decode()
    text = escape(caption)
    return f'<figure><img alt="{text}" src="data:image/png;base64,{data}"><figcaption>{text}</figcaption></figure>'


def _plot_classes(
    used: list[str],
    labels: Mapping[str, str],
    colors: Mapping[str, str],
    per_class: Mapping[str, Any],
    forest: Mapping[str, float],
) -> Figure:
    figure = Figure(figsize=(8, 1 + _height_in(used, labels)), layout="constrained")
    axes = figure.subplots()
    place = np.arange(len(used))
    axes.barh(place - 0.2, [per_class[v]["iou"] for v in used], 0.4, color=[colors[v] for v in used], edgecolor="#444")
    axes.barh(place + 0.2, [forest[v] for v in used], 0.4, color="#cccccc", edgecolor="#888", label="random forest")
    axes.set_yticks(place, [labels[v] for v in used], parse_math=False)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("IoU")
    if used:
        axes.legend(loc="lower right")
    return figure


def _plot_confusion(used: list[str], labels: Mapping[str, str], metrics: Mapping[str, Any]) -> Figure:
    index = [int(v) - 1 for v in used]
    counts = np.array(metrics["confusion"], dtype=np.float64)[np.ix_(index, index)]
    shares = (
        counts / np.maximum(np.array(metrics["confusion"])[index].sum(axis=1, keepdims=True), 1) if index else counts
    )
    side = _height_in(used, labels)
    figure = Figure(figsize=(side + 4, side + 0.8), layout="constrained")
    axes = figure.subplots()
    axes.set_xticks(range(len(used)), used)
    axes.set_yticks(range(len(used)), [labels[v] for v in used], parse_math=False)
    if used:
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if len(used) <= 20:
        for (row, col), share in np.ndenumerate(shares):
            axes.text(col, row, f"{share:.2f}", ha="center", va="center", fontsize=7, color="w" if share > 0.6 else "k")
    axes.set_xlabel("map")
    axes.set_ylabel("reference")
    return figure


def _label(value: str, name: str, code: str) -> str:
    """Return value and name of a class, uncut, in lines for an axis."""
    return textwrap.fill(f"{value} {class_label(name, code)}", LABEL_SIGNS)


def _height_in(used: list[str], labels: Mapping[str, str]) -> float:
    """Return the height that the labels of an axis need: all rows are as high as the highest."""
    lines = max((labels[v].count("\n") + 1 for v in used), default=1)
    return max(1, len(used)) * max(0.45, 0.19 * lines + 0.1)


def _examples(area: Area, examples: Sequence[Example]) -> list[str]:
    if not examples:
        return []
    text = (
        "Held-out blocks (inside the dashed line) with the most classes: in true colour, as the reference says where "
        "it was observed, and as the model maps them."
    )
    return [
        "<h2>Examples</h2>",
        f"<p>{text}</p>",
        _image("True colour, reference, map", _plot_examples(area, examples)),
    ]


def _plot_examples(area: Area, examples: Sequence[Example]) -> Figure:
    colors = {value: c.color for value, c in area.labels.values.items()}
    used = sorted({v for e in examples for a in (e.labels, e.mapped) for v in np.unique(a).tolist() if v})
    labels = [_label(str(v), area.labels.values[v].name, area.labels.values[v].code) for v in used]
    lines = sum(label.count("\n") + 1 for label in labels)
    figure = Figure(figsize=(9.6, 2.9 * len(examples) + 0.3 + 0.19 * (lines / 2 + 2)), layout="constrained")
    rows = figure.subplots(len(examples), 3, squeeze=False)
    for row, example in zip(rows, examples, strict=True):
        colour = render_true_colour(enlarge(example.fine, EXAMPLE_SCALE))
        pictures = (
            (f"true colour, {spell_week(example.place.week)}", hatch_unseen(colour)),
            ("reference", render_classes(enlarge(example.labels, EXAMPLE_SCALE), colors)),
            ("map", render_classes(enlarge(example.mapped, EXAMPLE_SCALE), colors)),
        )
        start, side = example.margin * EXAMPLE_SCALE, len(colour) - 2 * example.margin * EXAMPLE_SCALE
        for axes, (title, picture) in zip(row, pictures, strict=True):
            axes.imshow(picture, interpolation="nearest")
            axes.set_title(title, fontsize=9)
            axes.set_axis_off()
            frame: dict[str, Any] = {"fill": False, "edgecolor": "#101010", "linestyle": "--", "linewidth": 1.2}
            axes.add_patch(Rectangle((start, start), side, side, **frame))
    handles = [Patch(facecolor=colors[v], edgecolor="#888", label=label) for v, label in zip(used, labels, strict=True)]
    handles.append(Patch(facecolor="#dedede", edgecolor="#888", hatch="////", label="no reference, or not observed"))
    legend = figure.legend(handles=handles, loc="outside lower left", ncols=2, fontsize=8, frameon=False)
    for text in legend.get_texts():
        text.set_parse_math(False)
    return figure


def _plot_losses(losses: Mapping[str, list[float]], name_of_loss: str) -> Figure:
    figure = Figure(figsize=(8, 3), layout="constrained")
    axes = figure.subplots()
    for name, values in losses.items():
        axes.plot(range(1, len(values) + 1), values, marker=".", label=name)
    axes.set_xlabel("epoch")
    axes.set_ylabel(name_of_loss)
    axes.legend()
    return figure


def _plot_split(holdout: Array) -> Figure:
    rows, cols = holdout.shape
    scale = 8 / max(rows, cols)
    figure = Figure(figsize=(max(2.0, cols * scale), max(2.0, rows * scale)), layout="constrained")
    axes = figure.subplots()
    axes.imshow(
        holdout, cmap=ListedColormap(["#dddddd", "#6f9fd8", "#e8903a"]), vmin=0, vmax=2, interpolation="nearest"
    )
    axes.set_xlabel("block column")
    axes.set_ylabel("block row")
    return figure
