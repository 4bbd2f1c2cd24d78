"""A hold-out as text, picture and polygons."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landstream.split.blocks import SIDES, Split, geojson_map, read_split, runs, svg_map, table_rows, text_map
from services.trainer.item import write_split
from services.trainer.split import deal_holdout
from tests.catalogues import AREA

SMALL = Split(["0112", "2200"], 1280, (390_000, 5_090_040), 32635)


@given(st.lists(st.text("012", min_size=7, max_size=7), min_size=1, max_size=5))
def test_runs_cover_each_labelled_block_once(lines: list[str]) -> None:
    split = Split(lines, 1280, (0, 0), 32633)
    drawn = [["0"] * 7 for _ in lines]
    for sign, row, col, count in runs(split):
        assert set(drawn[row][col : col + count]) == {"0"}
        drawn[row][col : col + count] = sign * count
    assert ["".join(line) for line in drawn] == lines


def test_what_the_trainer_writes_is_read() -> None:
    import numpy as np

    counts = np.random.default_rng(1).integers(0, 500, (8, 8, 5))
    holdout = deal_holdout(counts)
    split = read_split(write_split(AREA, holdout).encode())
    assert [[int(sign) for sign in line] for line in split.lines] == holdout.tolist()
    assert (split.block_m, split.epsg) == (1280, AREA.grid.epsg)
    assert split.origin_m == (AREA.grid.origin_x_m, AREA.grid.origin_y_m)


def test_the_text_has_a_sign_for_each_block() -> None:
    assert text_map(SMALL) == ["·░░█", "██··"]


def test_the_picture_draws_runs_in_two_colours() -> None:
    drawn = ElementTree.fromstring(svg_map(SMALL, "clc <1>"))
    name = "{http://www.w3.org/2000/svg}"
    assert drawn.findtext(f"{name}title") == "clc <1>"
    rectangles = [(r.get("x"), r.get("y"), r.get("width")) for r in drawn.iter(f"{name}rect")][1:4]
    assert rectangles == [("8", "0", "16"), ("24", "0", "8"), ("0", "8", "16")]
    assert re.search(r">1 km, north up<", svg_map(SMALL, ""))


def test_the_polygons_lie_where_the_blocks_do() -> None:
    features = json.loads(geojson_map(SMALL))["features"]
    assert [f["properties"]["side"] for f in features] == [SIDES[s] for s in "122"]
    (ring,) = features[0]["geometry"]["coordinates"]
    longitudes, latitudes = zip(*ring, strict=True)
    assert min(longitudes) == pytest.approx(25.58, abs=0.02)
    assert max(latitudes) == pytest.approx(45.95, abs=0.02)


def test_classes_are_told_in_hectares() -> None:
    classes = {str(v): {"name": c.name, "training": 30_000, "holdout": 10_000} for v, c in AREA.labels.values.items()}
    classes["1"] |= {"training": 0, "holdout": 0}
    rows = table_rows(AREA, classes)
    assert rows[0][1:] == ("0", "0", "-")
    assert rows[1][1:] == ("300", "100", "25 %")
