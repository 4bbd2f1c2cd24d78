"""The card: complete, uncut, in the field's terms, the same bytes, whatever classes are called."""

from __future__ import annotations

import base64
import dataclasses
import io
import re
from html import unescape
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from services.trainer.area_estimate import estimate_areas
from services.trainer.card import write_card
from services.trainer.card.plots import LABELS_PX, PLOT_PX, Row, plot_intervals, plot_reliability
from services.trainer.examples import FEWEST_PIXELS, Example, Examples, Kind
from services.trainer.places import Place
from services.trainer.score import measure
from services.trainer.windows import Windows
from shared.area import Area
from shared.area.area import parse_area
from shared.items.properties import ModelFacts

NAMES = (
    "Land principally occupied by agriculture, with significant areas of natural vegetation",
    "Леса и полуприродные территории",
    "湿地",
    "$x^2$ & <costs>",
    "Water",
)
COLORS = ("#e6004d", "#80ff00", "#a6a6ff", "#ffffa8", "#00ccf2")


def area_of(names: tuple[str, ...]) -> Area:
    classes = [
        {"code": f"c{i:03}", "name": name, "color": COLORS[i % 5], "sources": [str(i)]} for i, name in enumerate(names)
    ]
    labels = {"scheme": "odd", "attribute": "x", "classes": classes, "attribution": "© Участники"}
    return parse_area(
        {"name": "somewhere", "aoi": [24, 45.9, 24.1, 46], "labels": labels, "label_year": 2018, "years": [2018]},
        "test",
    )


def facts_of(area: Area, confusion: np.ndarray) -> ModelFacts:
    measures = measure(confusion)
    per_class = {
        str(v): {"code": c.code, "name": c.name, **measures["per_class"][str(v)]} for v, c in area.labels.values.items()
    }
    forest = {"accuracy": 0.5, "miou": 0.4, "iou": dict.fromkeys(per_class, 0.3), "interval_95": {}}
    metrics: dict[str, Any] = {
        **measures,
        "per_class": per_class,
        "forest": forest,
        "confusion": confusion.tolist(),
        "blocks": 40,
        "interval_95": {"accuracy": [0.75, 0.85], "miou": [0.61, 0.73]},
        "gain_95": {"accuracy": [0.2, 0.4], "miou": [-0.01, 0.3]},
    }
    return ModelFacts(
        cube_state="0" * 64,
        training={},
        snapshot="S",
        model_name="somewhere",
        model_version=1,
        weights_sha256="",
        probe_sha256="",
        weeks=("2018-W20", "2018-W25"),
        windows={"training": [1, 1]},
        metrics=metrics,
        folds={"count": 0},
        determinism={},
        classes={},
        attribution="Contains modified Copernicus Sentinel data [2018]; © Участники",
    )


def examples_of(classes: int, count: int = 3) -> tuple[Example, ...]:
    rng = np.random.default_rng(1)
    found = []
    for i in range(count):
        labels = (np.indices((24, 24)).sum(axis=0) // 6 % (classes + 1)).astype(np.uint8).repeat(8, 0).repeat(8, 1)
        fine = rng.integers(1100, 2500, (192, 192, 4)).astype(np.uint16) * (labels > 0)[..., None]
        kind: Kind = ("worst", "richest", "best")[i % 3]  # type: ignore[assignment]
        place = Place("2018-W25", i, i)
        found.append(Example(kind, place, 0.25 * (i + 1), 9000 + i, fine.astype(np.uint16), labels, labels, 32))
    return tuple(found)


def known_facts(area: Area, confusion: np.ndarray) -> ModelFacts:
    """Facts with the figures that older models lack."""
    facts = facts_of(area, confusion)
    score = {"accuracy": 0.25, "miou": 0.125, "pixels": 4321}
    classes = range(1, len(confusion) + 1)
    held = {"from": 0.9, "to": 1.0, "pixels": 10, "confidence": 0.95, "accuracy": 0.5}
    empty = {"from": 0.0, "to": 0.1, "pixels": 0, "confidence": None, "accuracy": None}
    more = {
        "boosting": {
            "accuracy": 0.55,
            "miou": 0.45,
            "iou": {str(v): 0.35 for v in classes},
            "interval_95": {"miou": [0.4, 0.5], "accuracy": [0.5, 0.6]},
            "gain_95": {"miou": [-0.3, -0.2], "accuracy": [-0.2, -0.1]},
            "model": score,
        },
        "calibration": {
            "ece": 0.123,
            "mce": 0.456,
            "overconfidence": 0.111,
            "interval_95": {"ece": [0.1, 0.2], "overconfidence": [0.05, 0.15]},
            "bins": [empty, held],
            "ece_per_class": {},
        },
        "area": estimate_areas(confusion[None], np.full(len(confusion), 1000.0)),
        "applicability": {
            "threshold": 0.2571,
            "inside_percent": 96.04,
            "inside": {**score, "blocks": 40, "interval_95": {"accuracy": [0.2, 0.3], "miou": [0.1, 0.2]}},
        },
        "by_week": {"2018-W20": score, "2018-W25": dict.fromkeys(score, 0)},
        "by_edge": {"1": score, "over 10": {**score, "pixels": 98765}},
    }
    return dataclasses.replace(facts, metrics={**facts.metrics, **more})


def card(names: tuple[str, ...], examples: int = 3, known: bool = True) -> str:
    area = area_of(names)
    rng = np.random.default_rng(0)
    confusion = rng.integers(0, 50, (len(names), len(names))) + np.diag(np.full(len(names), 400))
    losses = {"unet": [1.0, 0.5], "multiscale": [1.2, 0.8]}
    holdout = rng.integers(0, 3, (8, 8)).astype(np.uint8)
    facts = (known_facts if known else facts_of)(area, confusion)
    wrong = np.where(holdout == 2, 0.3, np.nan) if known else None
    return write_card(area, facts, losses, holdout, examples_of(len(names), examples), wrong)


def told_of(text: str) -> str:
    """What people read, without pictures and style."""
    text = re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", text)))


def pictures(text: str) -> list[np.ndarray]:
    encoded = re.findall(r"data:image/png;base64,([^\"]+)", text)
    return [imread(io.BytesIO(base64.b64decode(e))) for e in encoded]


def test_what_people_read_is_uncut_and_called_by_its_name() -> None:
    text = card(NAMES)
    told = told_of(text)
    for name in NAMES:
        assert name in told
    assert "forest" in told
    assert not re.search(r"(?<!random )forest", told, re.IGNORECASE)
    assert "<costs>" not in text


def test_examples_show_each_class_in_its_colour() -> None:
    with_examples, without = pictures(card(NAMES)), pictures(card(NAMES, examples=0))
    assert len(with_examples) == len(without) + 9
    shown = (with_examples[4][..., :3] * 255).round().astype(int).reshape(-1, 3)
    for color in COLORS:
        rgb = np.array(tuple(bytes.fromhex(color[1:])))
        assert (shown == rgb).all(axis=1).sum() > 1000
    told = told_of(card(NAMES))
    assert "One of the worst blocks: accuracy 0.250 of 9,000 pixels" in told
    assert "One of the best blocks: accuracy 0.750 of 9,002 pixels" in told


def test_the_maps_of_blocks_show_what_they_say() -> None:
    errors, split = pictures(card(NAMES, 0))
    holdout = np.random.default_rng(0)
    holdout.integers(0, 50, (5, 5))
    blocks = holdout.integers(0, 3, (8, 8))
    for picture, table in (
        (errors, [(0, 0, 0, 0), (154, 160, 166, 90), (194, 87, 26, 255)]),
        (split, [(154, 160, 166, 70), (111, 159, 216, 255), (232, 144, 58, 255)]),
    ):
        assert picture.shape == (512, 512, 4)
        np.testing.assert_array_equal((picture[32::64, 32::64] * 255).round().astype(int), np.array(table)[blocks])


@pytest.mark.parametrize("count", [2, 44])
def test_any_number_of_classes(count: int) -> None:
    names = tuple(f"{NAMES[i % 5]} {i}" for i in range(count))
    told = told_of(card(names))
    assert all(told.count(name) >= 3 for name in names), "scores, confusion, hectares"


def test_scores_have_intervals() -> None:
    told = told_of(card(NAMES))
    assert re.search(r"Accuracy +0\.\d{3} \[0\.750, 0\.850\] +0\.500 +\[\+0\.200, \+0\.400\]", told)
    assert "[-0.010, +0.300]" in told
    assert "pixels in 40 blocks" in told
    assert "0.450 [0.400, 0.500] [-0.300, -0.200]" in told


def test_the_claim_says_what_is_shown_and_what_is_not() -> None:
    told = told_of(card(NAMES))
    assert "No gain in mean IoU is shown over the random forest per pixel (-0.010 to +0.300)." in told
    assert "It is beaten by boosting, multi-scale, by 0.200 to 0.300 in mean IoU." in told
    assert told.index("0.610, 0.730") < told.index("Scores on the hold-out"), "on the first screen"


def test_figures_of_the_item_are_told() -> None:
    told = told_of(card(NAMES))
    for said in (
        "Expected calibration error 0.123 [0.100, 0.200]",
        "more sure than it is right, by 0.111 (confidence less accuracy [+0.050, +0.150])",
        "made of the 5,000.0 ha".replace("made", "make"),
        "14 to 20 May 2018 0.250 0.125 4,321",
        "over 10 px 0.250 0.125 98,765",
        "4,321 pixels, on which the model has mean IoU 0.125",
        "96.0 % of the held-out pixels lie inside its area of applicability",
        "a dissimilarity index of 0.257",
        "inside 0.250 [0.200, 0.300] 0.125 [0.100, 0.200] 4,321",
    ):
        assert said in told, said
    assert "18 to 24 June" not in told.split("Held-out blocks")[0], "a week without pixels says nothing"


def test_models_of_before_have_a_card_without_what_they_lack() -> None:
    told = told_of(card(NAMES, known=False))
    assert "Mean IoU" in told
    for absent in ("boosting", "calibration", "Hectares", "Where it applies", "By week", "wrong pixels"):
        assert absent not in told


def test_a_point_of_a_plot_lies_where_its_figure_says() -> None:
    drawn = plot_reliability(
        [{"pixels": 4, "confidence": 0.5, "accuracy": 0.25}, {"pixels": 0, "confidence": None, "accuracy": None}], "t"
    )
    circles = re.findall(r'<circle class="model" cx="([\d.]+)" cy="([\d.]+)" r="([\d.]+)"', drawn)
    assert circles == [("194.0", "235.0", "12.0")]
    rows = [Row("<a>", 0.5, (0.25, 1.0), "model"), Row("b", 0.0, (), "other")]
    drawn = plot_intervals(rows, "t")
    assert "&lt;a&gt;" in drawn
    left, width = LABELS_PX, PLOT_PX
    assert f"M{left + width / 4} 17H{left + width:.1f}" in drawn
    assert re.findall(r'<circle class="(\w+)" cx="([\d.]+)"', drawn) == [
        ("model", f"{left + width / 2}"),
        ("other", f"{left:.1f}"),
    ]


def test_it_is_one_file_for_screens_and_paper() -> None:
    text = card(NAMES)
    assert "<script" not in text
    assert "http" not in text
    assert "url(" not in text
    for said in ("prefers-color-scheme: dark", "@media print", "width=device-width"):
        assert said in text
    assert text.count("<table") == text.count('<div class="scroll"><table'), "tables scroll on a narrow screen"
    assert text.count("<figure>") == text.count("<figcaption>") == 5


def test_it_leads_to_the_maps_of_its_store() -> None:
    assert re.findall(r'href="([^"]+)"', card(NAMES, 0)) == ["../../../../land-cover-maps/collection.json"]


def test_the_same_arguments_give_the_same_bytes() -> None:
    assert card(NAMES) == card(NAMES)


def windows_of(places: list[Place], labels: np.ndarray) -> Windows:
    fine = np.zeros((len(places), 192, 192, 4), np.uint16) + np.arange(len(places))[:, None, None, None]
    return Windows(tuple(places), fine.astype(np.uint16), np.zeros((len(places), 96, 96, 6), np.uint16), labels, 32)


def test_the_worst_the_richest_and_the_best_blocks_are_shown_each_once() -> None:
    examples = Examples()
    places = [Place(week, row, 0) for week in ("2018-W20", "2018-W25") for row in range(7)]
    labels = np.ones((14, 192, 192), np.uint8)
    labels[:, :, 96:] = 2
    labels[4:6, 100:110, 40:50] = 3
    labels[3] = 0
    labels[6, :] = 0
    labels[6, 32:63, 32:64] = 1  # all wrong, but too few to be called the worst
    mapped = labels.copy()
    for i, wrong in enumerate((10, 0, 60, 0, 20, 30, 128, 20, 0, 50, 0, 20, 25, 128)):
        mapped[i, 32 : 32 + wrong] = 9
    labels[10] = 0
    assert np.count_nonzero(labels[6]) < FEWEST_PIXELS
    batches = windows_of(places, labels)
    for start in range(0, 14, 4):
        part = slice(start, start + 4)
        batch = Windows(
            batches.places[part], batches.msi_10m[part], batches.msi_20m[part], batches.labels[part], batches.margin
        )
        examples.show(batch, mapped[part])
    chosen = examples.chosen
    # Row 6 is all wrong in its second week, with pixels enough there.
    assert [(e.kind, e.place.row, e.place.week[-2:]) for e in chosen] == [
        ("worst", 6, "25"),
        ("worst", 2, "20"),
        ("richest", 4, "20"),
        ("richest", 5, "20"),
        ("best", 1, "20"),
        ("best", 0, "20"),
    ]
    assert chosen[0].accuracy == 0
    assert chosen[4].accuracy == 1
    assert chosen[5].accuracy == 118 / 128
    assert {e.pixels for e in chosen} == {128 * 128}
    assert [int(e.fine[0, 0, 0]) for e in chosen] == [13, 2, 4, 5, 1, 0]


def test_nothing_is_shown_of_blocks_without_a_reference() -> None:
    none = Examples()
    none.show(
        windows_of([Place("2018-W20", 0, 0)], np.zeros((1, 192, 192), np.uint8)), np.ones((1, 192, 192), np.uint8)
    )
    assert none.chosen == ()
