"""The card: complete, uncut, in the field's terms, the same bytes, whatever classes are called."""

from __future__ import annotations

import base64
import io
import re
from html import unescape
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from services.trainer.card import write_card
from services.trainer.examples import Example, Examples
from services.trainer.score import measure
from services.trainer.windows import Place, Windows
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
        found.append(Example(Place("2018-W25", i, i), fine.astype(np.uint16), labels, labels, 32))
    return tuple(found)


def card(names: tuple[str, ...], examples: int = 3) -> str:
    area = area_of(names)
    rng = np.random.default_rng(0)
    confusion = rng.integers(0, 50, (len(names), len(names))) + np.diag(np.full(len(names), 400))
    losses = {"unet": [1.0, 0.5], "multiscale": [1.2, 0.8]}
    holdout = rng.integers(0, 3, (8, 8)).astype(np.uint8)
    return write_card(area, facts_of(area, confusion), losses, holdout, examples_of(len(names), examples))


def pictures(text: str) -> list[np.ndarray]:
    encoded = re.findall(r"data:image/png;base64,([^\"]+)", text)
    return [imread(io.BytesIO(base64.b64decode(e))) for e in encoded]


def test_what_people_read_is_uncut_and_called_by_its_name() -> None:
    text = card(NAMES)
    told = unescape(re.sub(r"<[^>]+>", " ", re.sub(r'src="[^"]+"', "", text)))
    for name in NAMES:
        assert name in told
    assert "forest" in told
    assert not re.search(r"(?<!random )forest", told, re.IGNORECASE)


def test_examples_show_each_class_in_its_colour() -> None:
    with_examples, without = pictures(card(NAMES)), pictures(card(NAMES, examples=0))
    assert len(with_examples) == len(without) + 1
    shown = (with_examples[2][..., :3] * 255).round().astype(int).reshape(-1, 3)
    for color in COLORS:
        rgb = np.array(tuple(bytes.fromhex(color[1:])))
        assert (shown == rgb).all(axis=1).sum() > 1000


@pytest.mark.parametrize("count", [2, 44])
def test_any_number_of_classes(count: int) -> None:
    text = card(tuple(f"{NAMES[i % 5]} {i}" for i in range(count)))
    for picture in pictures(text):
        assert max(picture.shape) < 4000
        for edge in (picture[:2], picture[-2:], picture[:, :2], picture[:, -2:]):
            assert (edge[..., :3] > 0.99).all(), "nothing is cut at an edge"


def test_scores_have_intervals() -> None:
    told = re.sub(r"<[^>]+>", " ", card(NAMES))
    assert re.search(r"Accuracy +0\.\d{3} \[0\.750, 0\.850\] +0\.500 +\[\+0\.200, \+0\.400\]", told)
    assert "[-0.010, +0.300]" in told
    assert "pixels in 40 blocks" in told


def test_it_leads_to_the_maps_of_its_store() -> None:
    assert re.findall(r'href="([^"]+)"', card(NAMES, 0)) == ["../../../../land-cover-maps/collection.json"]


def test_the_same_arguments_give_the_same_bytes() -> None:
    assert card(NAMES) == card(NAMES)


def test_the_richest_blocks_are_shown_each_once() -> None:
    examples = Examples()
    places = [Place(week, row, 0) for week in ("2018-W20", "2018-W25") for row in range(6)]
    fine, coarse = np.zeros((12, 192, 192, 4), np.uint16), np.zeros((12, 96, 96, 6), np.uint16)
    labels = np.zeros((12, 192, 192), np.uint8)
    for i, place in enumerate(places):
        fine[i] = i
        if place.row:
            labels[i, 40:140, 40:140] = 1 + np.arange(100) % place.row
    labels[11, 40:60] = 0  # the richest block is seen less in the second week
    for start in (0, 4, 8):
        part = slice(start, start + 4)
        batch = Windows(tuple(places[part]), fine[part], coarse[part], labels[part], 32)
        examples.show(batch, labels[part])
    assert [(e.place.row, e.place.week) for e in examples.chosen] == [(5, "2018-W20"), (4, "2018-W20"), (3, "2018-W20")]
    assert [int(e.fine[0, 0, 0]) for e in examples.chosen] == [5, 4, 3]
    none = Examples()
    none.show(Windows(tuple(places[:1]), fine[:1], coarse[:1], labels[:1], 32), labels[:1])
    assert none.chosen == ()
