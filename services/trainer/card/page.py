"""Write the page: the claim first, then classes, confidence, hectares, where and when it errs, blocks, identity."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from services.trainer.card.pictures import (
    ERROR_STEPS,
    SPLIT_COLORS,
    UNTESTED,
    draw_errors,
    draw_example,
    draw_split,
)
from services.trainer.card.plots import Row, bar, plot_intervals, plot_losses, plot_reliability
from services.trainer.examples import Example
from services.trainer.names import describe
from services.trainer.places import Place
from shared.area import Area
from shared.area.recipe import Loss
from shared.items.claim import UNSEEN, claim
from shared.items.collections import EVALUATIONS, MAPS, MODELS
from shared.items.keys import artifact_key
from shared.items.model_inputs import inputs_of_area, spell_inputs
from shared.items.properties import ModelFacts
from shared.items.weeks import STATIC, spell_week

Array = npt.NDArray[Any]

STYLE: Final = Path(__file__).with_name("style.css")

STRONG: Final = 0.55
"""Share from which a cell of the confusion is dark, so that its letters are light."""

BLOCK_KM: Final = "1.28 km"
FOREST, BOOSTING = "random forest per pixel", "boosting, multi-scale"

_WHAT = "Land cover from {}: {}."
_HOLDOUT = (
    f"Blocks of {BLOCK_KM} that no training pixel lies in or within 30 m of; every observed labelled pixel of every "
    "week counts. Means run over the classes present in the reference."
)
_INTERVALS = (
    "Brackets hold 95 % of 1,000 draws of these blocks: another hold-out of this size, from the same land, would score "
    "there. A gain whose brackets hold 0 is none."
)
_BOOSTING = (
    "Boosting reads means and deviations over squares up to 310 m. To bound its cost it is scored on one pixel of each "
    "20 m cell, of each block in one of its weeks: {pixels:,} pixels, on which the model has mean IoU {miou:.3f} and "
    "accuracy {accuracy:.3f}; the gain is taken on these same pixels."
)
_KINDS = {
    "worst": "One of the worst blocks",
    "richest": "One of the blocks with most classes",
    "best": "One of the best blocks",
}
_MAPS_HREF = os.path.relpath(
    f"{MAPS}/collection.json", os.path.dirname(artifact_key(MODELS, STATIC, "any", "card", "0" * 64, ".html"))
)
"""From the folder of a model's card, whatever the model is called."""

_LOSSES: Mapping[Loss, str] = {"cross_entropy": "cross-entropy", "focal": "focal loss", "dice": "dice loss"}
_FACTS = (
    "hold_out",
    "windows",
    "weights",
    "determinism",
    "model_version",
    "weights_sha256",
    "probe_sha256",
    "cube_state",
    "snapshot",
)
_OF_UNSEEN = ", without the polygons that it saw a part of: networks remember these"
_LIMITS = (
    "The score holds for the area, the weeks and the label scheme above; nothing is said of others.",
    "Labels have a smallest mapped unit and a reference year: part of the error is theirs.",
    "Labels are no probability sample: ground that nobody mapped may be harder, and no bracket holds that.",
    "A polygon may reach over the edge of a block: scores on all of the hold-out are a little better than on ground "
    "far away, which is why those on polygons never seen stand first where there are enough.",
    f"How it compares with the champion of its store is said by the store's {EVALUATIONS}, if there is one.",
)


def write_card(
    area: Area,
    model: ModelFacts,
    losses: Mapping[str, list[float]],
    holdout: Array,
    examples: Sequence[Example] = (),
    wrong: Array | None = None,
) -> str:
    """Write the page as HTML; the same arguments give the same bytes.

    Args:
        area: whose model it is.
        model: what its item says. Figures that older models lack are left out.
        losses: network -> mean loss of each epoch.
        holdout: uint8 (block row, block col): 0 unlabelled, 1 train, 2 hold-out.
        examples: held-out blocks.
        wrong: float64 (block row, block col): share of wrong pixels, NaN where none is tested.
    """
    title, metrics = f"Land-cover model of {area.name}", model.metrics
    parts = [
        f'<p class="soft">Model card</p><h1>{escape(title)}</h1>',
        f"<p>{_WHAT.format(spell_inputs(inputs_of_area(area, area.training)), describe(area.training))}</p>",
        f'<p>Its maps: <a href="{_MAPS_HREF}">{MAPS}</a> of the store that this card lies in.</p>',
        *_claim(*claim(metrics)),
        *_scores(metrics),
        _cross_validation(model.folds),
        *_classes(area, metrics),
        *_confusion(area, metrics),
        *_calibration(metrics),
        *_hectares(area, metrics),
        *_applicability(metrics),
        *_strata(metrics),
        *_plans(holdout, wrong),
        *_examples(area, examples),
        *_training(losses, _LOSSES[area.training.loss]),
        *_identity(area, model),
        "<h2>Limits</h2>",
        "<ul>" + "".join(f"<li>{limit}</li>" for limit in _LIMITS) + "</ul>",
        f'<p class="soft">{escape(model.attribution)}</p>',
    ]
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE.read_text(encoding='utf-8')}</style>"
    )
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>\n'


def _claim(split: str, metrics: Mapping[str, Any]) -> list[str]:
    """Write the first screen: two figures on the strictest split, what they beat, and a plot of all methods."""
    figures = "".join(
        f"<div><b>{_share(metrics[name])}</b>{text}<br>"
        f'<span class="soft">{_interval(metrics["interval_95"], name) or "no interval"}</span></div>'
        for name, text in (("miou", "mean IoU"), ("accuracy", "accuracy"))
    )
    rows = [Row("this model", metrics["miou"], metrics["interval_95"].get("miou", ()), "model")]
    for name, key in ((BOOSTING, "boosting"), (FOREST, "forest")):
        if key in metrics:
            rows.append(Row(name, metrics[key]["miou"], metrics[key]["interval_95"].get("miou", ()), "other"))
    said = " ".join(_verdict(name, gain) for name, gain in _gains(metrics))
    return [
        f'<div class="claim">{figures}<p>{said} Measured on {metrics["pixels"]:,} pixels in {metrics["blocks"]:,} '
        f"blocks that it never saw{_OF_UNSEEN if split == UNSEEN else ''}.</p></div>",
        _figure(
            plot_intervals(rows, "Mean IoU of the model and of the baselines"),
            f"Mean IoU: points are scores on the {split}, lines their 95 % intervals. Intervals may overlap though a "
            "gain is sure: methods err on the same blocks, so only the gains below compare them.",
        ),
    ]


def _gains(metrics: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Sequence[float]]]]:
    """Return the baselines and the model's paired gain over each, in `accuracy` and `miou`."""
    found = [(f"the {FOREST}", metrics.get("gain_95", {}))]
    if "boosting" in metrics:
        found.append((f"{BOOSTING}", metrics["boosting"]["gain_95"]))
    return found


def _verdict(name: str, gain: Mapping[str, Sequence[float]]) -> str:
    if "miou" not in gain:
        return f"Nothing can be said of its gain over {name}."
    low, high = gain["miou"]
    if low > 0:
        return f"It beats {name} by {low:.3f} to {high:.3f} in mean IoU."
    if high < 0:
        return f"It is beaten by {name}, by {-high:.3f} to {-low:.3f} in mean IoU."
    return f"No gain in mean IoU is shown over {name} ({low:+.3f} to {high:+.3f})."


def _scores(metrics: Mapping[str, Any]) -> list[str]:
    forest, boosting = metrics["forest"], metrics.get("boosting")
    head: tuple[str, ...] = ("", "model", FOREST, f"gain over the {FOREST}")
    if boosting:
        head += (BOOSTING, f"gain over {BOOSTING}")
    rows: list[tuple[str, ...]] = []
    for name, text in (("miou", "Mean IoU"), ("accuracy", "Accuracy")):
        row: tuple[str, ...] = (text, _with_interval(metrics, name), _with_interval(forest, name))
        row += (_interval(metrics["gain_95"], name, "+.3f"),)
        if boosting:
            row += (_with_interval(boosting, name), _interval(boosting["gain_95"], name, "+.3f"))
        rows.append(row)
    alone = {
        "majority_accuracy": "Accuracy of the most frequent class",
        "f1_macro": "Macro F1",
        "precision_macro": "Macro precision",
        "recall_macro": "Macro recall",
    }
    rows += [(text, _share(metrics[name]), *[""] * (len(head) - 2)) for name, text in alone.items()]
    more = f"<p>{_BOOSTING.format(**boosting['model'])}</p>" if boosting else ""
    return [
        "<h2>Scores on the hold-out</h2>",
        f"<p>{_HOLDOUT} Here {metrics['pixels']:,} pixels in {metrics['blocks']:,} blocks. {_INTERVALS}</p>",
        _table(head, rows),
        more,
    ]


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


def _classes(area: Area, metrics: Mapping[str, Any]) -> list[str]:
    per_class, forest = metrics["per_class"], metrics["forest"]["iou"]
    boosting = metrics.get("boosting", {}).get("iou", {})
    rows = [
        (
            _class_name(area, value),
            bar(row["iou"], [iou[value] for iou in (forest, boosting) if value in iou]),
            *(_share(number) for number in (row["iou"], forest[value])),
            *([_share(boosting[value])] if boosting else []),
            *(_share(row[name]) for name in ("precision", "recall", "f1")),
            f"{row['support']:,}",
        )
        for value, row in per_class.items()
    ]
    head = ("class", "", "IoU", "random forest IoU", *(["boosting IoU"] if boosting else []))
    return [
        "<h2>Classes</h2>",
        "<p>The bar is the model's IoU, the ticks across it are the baselines': a bar that ends before a tick is a "
        "class that the model maps worse. Few pixels make any figure of a class unsure.</p>",
        _table((*head, "precision", "recall", "F1", "pixels"), rows),
    ]


def _confusion(area: Area, metrics: Mapping[str, Any]) -> list[str]:
    used = [value for value, row in metrics["per_class"].items() if row["support"]]
    counts = np.array(metrics["confusion"], np.float64)
    rows = []
    for value in used:
        row = counts[int(value) - 1]
        cells = [_heat(row[int(other) - 1] / row.sum(), value == other) for other in used]
        rows.append(f"<tr><td>{_class_name(area, value)}</td>{''.join(cells)}</tr>")
    top = "".join(f"<th>{value}</th>" for value in used)
    return [
        "<h3>What is taken for what</h3>",
        "<p>Rows are classes of the reference, columns what the model maps them as, numbered as the rows are; each row "
        "adds up to its class's pixels, in percent. Dark cells off the diagonal are classes that it mixes up.</p>",
        f'<div class="scroll"><table class="heat"><tr><th>reference \\ map</th>{top}</tr>{"".join(rows)}</table></div>',
    ]


def _heat(share: float, hit: bool) -> str:
    kind = " ".join(name for name, on in (("strong", share > STRONG), ("hit", hit)) if on)
    text = f"{100 * share:.0f}" if share >= 0.005 else ""
    return f'<td class="{kind}" style="--share:{share:.2f}">{text}</td>'


def _calibration(metrics: Mapping[str, Any]) -> list[str]:
    found = metrics.get("calibration")
    if not found:
        return []
    over = found["overconfidence"]
    tendency = "more sure than it is right" if over > 0 else "less sure than it is right"
    said = (
        f"Expected calibration error {found['ece']:.3f} {_interval(found['interval_95'], 'ece')}: by so much "
        f"confidence and accuracy differ on the mean. On the whole it is {tendency}, by {abs(over):.3f} (confidence "
        f"less accuracy {_interval(found['interval_95'], 'overconfidence', '+.3f')}); the largest gap of a "
        f"bin is {found['mce']:.3f}."
    )
    return [
        "<h2>Whether its confidence can be trusted</h2>",
        f"<p>{said}</p>",
        _figure(
            plot_reliability(found["bins"], "Reliability diagram"),
            "Each point is the pixels of a tenth of confidence, the larger the more. On the dashed line confidence is "
            "accuracy; below it the model is too sure of itself, above it too modest.",
        ),
    ]


def _hectares(area: Area, metrics: Mapping[str, Any]) -> list[str]:
    found = metrics.get("area")
    if not found:
        return []
    rows = [
        (
            _class_name(area, value),
            f"{row['mapped_ha']:,.1f}",
            f"{row['adjusted_ha']:,.1f}",
            _range(row["adjusted_ha_95"], ",.1f"),
            _range(row["adjusted_ha_if_independent_95"], ",.1f"),
            f"{_share(row['users'])} {_range(row['users_95'], '.3f')}",
            f"{_share(row['producers'])} {_range(row['producers_95'], '.3f')}",
        )
        for value, row in found["classes"].items()
        if row["mapped_ha"] or row["adjusted_ha"]
    ]
    head = (
        "class",
        "mapped ha",
        "adjusted ha",
        "95 %",
        "95 % if pixels were independent",
        "user's accuracy",
        "producer's accuracy",
    )
    rest = (
        f" {found['unassessed_ha']:,.1f} ha are mapped as classes that no held-out label assesses; they are left out."
        if found["unassessed_ha"]
        else ""
    )
    return [
        "<h2>Hectares, allowing for the map's errors</h2>",
        f"<p>Counting pixels of a map is no estimate of area: errors do not cancel. Adjusted hectares (Olofsson et al. "
        f"2014) are what the held-out labels make of the {found['ground_ha']:,.1f} ha that are mapped in the held-out "
        "blocks, labelled or not, averaged over the weeks; so adjusted accuracy is "
        f"{_share(found['accuracy'])} {_range(found['accuracy_95'], '.3f')}.{rest} They speak for these blocks, "
        "not for the area, and as if labelled ground stood for all ground mapped alike, which nobody drew by lot.</p>",
        "<p>Where the mapped hectares lie outside the brackets, counting pixels misleads. The textbook's brackets take "
        "neighbouring pixels for independent and are too narrow: they stand here to be compared with other papers.</p>",
        _table(head, rows),
    ]


def _applicability(metrics: Mapping[str, Any]) -> list[str]:
    found = metrics.get("applicability")
    if not found:
        return []
    rows = [
        (name, *(_with_interval(found[name], score) for score in ("accuracy", "miou")), f"{found[name]['pixels']:,}")
        for name in ("inside", "outside")
        if name in found
    ]
    return [
        "<h2>Where it applies</h2>",
        f"<p>{found['inside_percent']:.1f} % of the held-out pixels lie inside its area of applicability (Meyer and "
        "Pebesma 2021): cells of 40 m whose bands and texture are as near to training points as these are to those of "
        f"other blocks, up to a dissimilarity index of {found['threshold']:.3f}. Nothing that was measured here speaks "
        "for ground outside of it, however sure the model is. Maps show it where the area file asks: "
        "<code>applicability: true</code>.</p>",
        _table(("held-out pixels", "accuracy", "mean IoU", "pixels"), rows),
    ]


def _strata(metrics: Mapping[str, Any]) -> list[str]:
    parts = []
    if metrics.get("by_week"):
        rows = [
            (spell_week(week), bar(row["accuracy"]), *_scored(row))
            for week, row in metrics["by_week"].items()
            if row["pixels"]
        ]
        parts += [
            "<h3>By week</h3>",
            "<p>The bar is accuracy. Weeks differ by season and by which ground the clouds left; a week far below the "
            "others may hold haze or shadow that the cloud mask missed.</p>",
            _table(("week", "", "accuracy", "mean IoU", "pixels"), rows),
        ]
    if metrics.get("by_edge"):
        rows = [
            (f"{name} px", bar(row["accuracy"]), *_scored(row))
            for name, row in metrics["by_edge"].items()
            if row["pixels"]
        ]
        parts += [
            "<h3>By distance to the edge of a label</h3>",
            "<p>How far a pixel is from the nearest one of another class, in pixels of 10 m, corners counted as sides. "
            "Pixels at edges are mixed, and labels are drawn by hand: much of what is lost in the first rows is "
            "theirs.</p>",
            _table(("distance", "", "accuracy", "mean IoU", "pixels"), rows),
        ]
    return ["<h2>When and where it errs</h2>", *parts] if parts else []


def _scored(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return _share(row["accuracy"]), _share(row["miou"]), f"{row['pixels']:,}"


def _plans(holdout: Array, wrong: Array | None) -> list[str]:
    figures = []
    if wrong is not None:
        legend = _legend([*((color, text) for _, color, text in ERROR_STEPS), (UNTESTED, "not tested")])
        figures.append(
            _figure(
                draw_errors(wrong, holdout) + legend,
                f"Share of wrong pixels of each held-out block ({BLOCK_KM}, north is up), over all weeks; the darker "
                "the worse. Dark blocks side by side are ground that the training did not know.",
            )
        )
    legend = _legend([(color, name) for name, color in SPLIT_COLORS.items()])
    figures.append(
        _figure(draw_split(holdout) + legend, "Where it learned and where it is tested: a square is a block.")
    )
    return ["<h3>On the ground</h3>", f'<div class="pair">{"".join(figures)}</div>']


def _examples(area: Area, examples: Sequence[Example]) -> list[str]:
    if not examples:
        return []
    colors = {value: c.color for value, c in area.labels.values.items()}
    used = sorted({v for e in examples for a in (e.labels, e.mapped) for v in np.unique(a).tolist() if v})
    parts = [
        "<h2>Held-out blocks, looked at</h2>",
        "<p>Inside the dashed line lies the block, around it what the networks see beside it. Compare the reference "
        "with the true colour, too: some errors are the label's.</p>",
        _legend(
            [(colors[v], f"{v} {area.labels.values[v].name}") for v in used], hatched="no reference, or not observed"
        ),
    ]
    for example in examples:
        margin = 100 * example.margin / len(example.fine)
        cells = "".join(
            f'<span><i style="--margin:{margin:.2f}%">{picture}</i>{name}</span>'
            for name, picture in zip(("true colour", "reference", "map"), draw_example(example, colors), strict=True)
        )
        parts.append(f'<h3>{_example_title(example)}</h3><div class="example">{cells}</div>')
    return parts


def _example_title(example: Example) -> str:
    place: Place = example.place
    return (
        f"{_KINDS[example.kind]}: accuracy {example.accuracy:.3f} of {example.pixels:,} pixels, "
        f"{spell_week(place.week)}, block row {place.row}, column {place.col}"
    )


def _training(losses: Mapping[str, Sequence[float]], loss: str) -> list[str]:
    return [
        "<h2>Training</h2>",
        _figure(
            plot_losses(losses, "Mean loss of each epoch"),
            f"Mean {loss} of each epoch, on training pixels. A line that still falls at its end would gain from "
            "more epochs; that it is low says nothing of new ground.",
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
    return ["<h2>Data and identity</h2>", _table(("", ""), rows, "facts")]


def _class_name(area: Area, value: str) -> str:
    c = area.labels.values[int(value)]
    return f'<span class="swatch" style="background:{c.color}"></span>{value} {escape(c.name)}'


def _legend(entries: Sequence[tuple[str, str]], hatched: str = "") -> str:
    lines = [
        f'<li><span class="swatch" style="background:{color}"></span>{escape(text)}</li>' for color, text in entries
    ]
    if hatched:
        lines.append(f'<li><span class="swatch hatch"></span>{escape(hatched)}</li>')
    return f'<ul class="legend">{"".join(lines)}</ul>'


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _with_interval(scores: Mapping[str, Any], name: str) -> str:
    return f"{_share(scores[name])} {_interval(scores['interval_95'], name)}".strip()


def _interval(found: Mapping[str, Sequence[float]], name: str, form: str = ".3f") -> str:
    return _range(found.get(name), form)


def _range(found: Sequence[float] | None, form: str) -> str:
    return f"[{found[0]:{form}}, {found[1]:{form}}]" if found else ""


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]], kind: str = "") -> str:
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    name = f' class="{kind}"' if kind else ""
    return f'<div class="scroll"><table{name}><tr>{top}</tr>{body}</table></div>'


def _figure(drawn: str, caption: str) -> str:
    return f'<figure><div class="scroll">{drawn}</div><figcaption>{escape(caption)}</figcaption></figure>'
