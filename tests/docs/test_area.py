"""The page and the schema of area files are those of the model, and the schema accepts what the model does."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonschema
import pytest
import yaml

from shared.area import AreaError
from shared.area.area import parse_area
from tests.conftest import AREAS, ROOT, landstream
from tools.area_page import PAGE, SCHEMAS, SECTIONS, page, schema, schema_text
from tools.docstrings import docstrings

EXAMPLES = sorted(AREAS.glob("*.yaml"))
SCHEMA = schema()
GOOD: dict[str, Any] = yaml.safe_load((AREAS / "small.yaml").read_text())
MAPPING: dict[str, Any] = yaml.safe_load((AREAS / "brandenburg.yaml").read_text())["labels"]


def accepts(data: object) -> bool:
    return not list(jsonschema.Draft202012Validator(SCHEMA).iter_errors(data))


def test_page_and_schema_are_generated() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m tools.area_page`"
    for path in SCHEMAS:
        assert path.read_text(encoding="utf-8") == schema_text(), "run `python -m tools.area_page`"


def test_every_key_is_explained_with_its_default() -> None:
    text = page()
    for kind in SECTIONS.values():
        assert set(docstrings(kind)) == set(kind.model_fields), kind
        for name, field in kind.model_fields.items():
            assert f"\n| `{field.alias or name}` |" in text
    assert "| `filters` | integer from 4 to 128 | `24` |" in text
    assert "| `quiet_s` | number from 0 | `60.0` | Seconds" in text


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_the_examples_are_good(path) -> None:
    assert accepts(yaml.safe_load(path.read_text()))


POLYGON = {"type": "Polygon", "coordinates": [[[24.0, 45.9], [24.1, 45.9], [24.1, 46.0], [24.0, 45.9]]]}


@pytest.mark.parametrize(
    ("change", "good"),
    [
        ({}, True),
        ({"aoi": POLYGON}, True),
        ({"sensors": ["s2"]}, True),
        ({"grid": {"epsg": 32634, "origin_x_m": 727320, "origin_y_m": 5096940, "rows": 4, "cols": 4}}, True),
        ({"labels": MAPPING}, True),
        ({"training": {"batch": 8, "patch_px": 128, "learning_rate": 0.001}}, True),
        ({"aoi": [24.0, 45.9, 24.1]}, False),
        ({"aoi": {"type": "Point", "coordinates": [24.0, 45.9]}}, False),
        ({"sensors": ["sar"]}, False),
        ({"sensors": []}, False),
        ({"labels": "clc-level9"}, False),
        ({"labels": {**MAPPING, "classes": MAPPING["classes"][:1]}}, False),
        ({"grid_spec": None, "epsg": 1}, False),
        ({"level": "l3"}, False),
        ({"years": []}, False),
        ({"training": {"filters": 2}}, False),
        ({"train": {"every": 200}}, False),
        ({"name": "Small Area"}, False),
    ],
)
def test_schema_and_model_agree(change: dict[str, Any], good: bool) -> None:
    data = copy.deepcopy(GOOD) | change
    assert accepts(data) == good
    try:
        parse_area(data, "a.yaml")
    except AreaError:
        assert not good
    else:
        assert good


def test_the_schema_knows_mapping_files() -> None:
    assert accepts(GOOD | {"labels": "trees.yaml"})


def test_a_new_file_names_the_schema(tmp_path) -> None:
    landstream("area", "new", "x", "--aoi", "23.9,45.7,24.3,45.9", "--year", 2018, "--out", tmp_path / "x.yaml")
    text = (tmp_path / "x.yaml").read_text()
    first = text.splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    assert json.loads((tmp_path / first.partition("=")[2]).read_text()) == SCHEMA
    assert accepts(yaml.safe_load(text))


def test_it_is_found_from_the_readme() -> None:
    assert "docs/area.md" in (ROOT / "README.md").read_text()
