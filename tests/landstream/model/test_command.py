"""What people see of models, and how they choose the champion."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from landstream.model.command import app
from landstream.workspace import bind
from shared.items.ids import canonical
from shared.items.item import Item
from shared.run.context import Context
from shared.store import FolderStore
from tests.catalogues import AREA, make, promotion
from tests.conftest import landstream
from tests.landstream.terminal import on_terminal

TIMES = {"start_datetime": "2018-05-14T00:00:00Z", "end_datetime": "2018-06-24T23:59:59Z", "datetime": None}
FOREST = {"code": "3", "name": "Forest", "iou": 0.81, "support": 1234}


def model(version: int, miou: float) -> Item:
    metrics = {"accuracy": 0.9, "miou": miou, "pixels": 10, "per_class": {"3": FOREST}}
    facts = {"metrics": metrics, "weeks": ["2018-W20", "2018-W25"], "training": {"filters": 8, "epochs": version}}
    made = make("models", "small", week="static", version=version, **facts)
    return Item({**made.json, "bbox": list(AREA.polygon.bounds), "properties": made.properties | TIMES}, "static")


OLD, NEW = model(1, 0.5), model(2, 0.4)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with two models, of which the second is champion."""
    opened = FolderStore(tmp_path)
    bind(opened, AREA)
    for item in (OLD, NEW, promotion(OLD, 1), promotion(NEW, 2)):
        opened.put(item.key, canonical(item.json))
    return tmp_path


def said(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


def champion_line(store: Path) -> list[tuple[str, bool, list[int]]]:
    lines = map(json.loads, said("list", "--store", store).stdout.splitlines())
    return [(m["id"], m["champion"], [p["number"] for p in m["promotions"]]) for m in lines]


def test_models_are_a_table_on_a_terminal_and_items_elsewhere(store: Path) -> None:
    assert champion_line(store) == [(NEW.id, True, [2]), (OLD.id, False, [1])]
    heading, first, second = on_terminal("model", "list", "--store", store, columns=200)
    assert heading.split() == ["promotions", "weeks", "accuracy", "mIoU", "id", "card"]
    assert first.split() == ["2", "(champion)", "2018-W20", "to", "2018-W25", "0.900", "0.400", NEW.id]
    assert second.split()[0] == "1"


def test_a_model_is_shown_class_by_class(store: Path) -> None:
    shown = on_terminal("model", "show", "small--v2", "--store", store, columns=200)
    assert shown[0] == f"model       {NEW.id}, the champion"
    assert "trained on  2018-W20 to 2018-W25" in shown
    assert "settings    epochs 2, filters 8" in shown
    assert "IoU         0.810 Forest (1,234 pixels)" in shown
    assert shown[-1] == "promoted    number 2, by a person"
    assert json.loads(said("show", "small--v2", "--store", store).stdout)["id"] == NEW.id


def test_an_imported_model_is_named_so(store: Path) -> None:
    brought = make("model-imports", "small", week="static", name="one", title="One", sha256="0" * 64)
    made = make("models", "brought", [brought], week="static", metrics={}, weeks=["2018-W20"])
    properties = made.properties | TIMES | {"mlm:name": "one-by-one"}
    imported = Item({**made.json, "bbox": list(AREA.polygon.bounds), "properties": properties}, "static")
    FolderStore(store).put(imported.key, canonical(imported.json))
    said_of = [json.loads(line)["imported"] for line in said("list", "--store", store).stdout.splitlines()]
    assert said_of == [False, False, True]
    assert "2018-W20 (imported)" in on_terminal("model", "list", "--store", store, columns=200)[3]
    shown = on_terminal("model", "show", "brought", "--store", store, columns=200)
    assert "imported    one-by-one; scored on 2018-W20, what it was trained on is not known" in shown
    assert not any(line.startswith("trained on") for line in shown)
    lines = on_terminal("model", "compare", "brought", "small--v2", "--store", store, columns=200)
    assert re.split(r"\s{2,}", lines[1].strip())[1] == "elsewhere; scored on 2018-W20"


def test_two_models_stand_side_by_side(store: Path) -> None:
    lines = on_terminal("model", "compare", "small--v1", "small--v2", "--store", store, columns=200)
    assert lines[0].split() == [OLD.id, NEW.id, "difference"]
    rows = {cells[0]: cells[1:] for cells in (re.split(r"\s{2,}", line.strip()) for line in lines[1:])}
    assert rows["epochs"] == ["1", "2"]
    assert "filters" not in rows, "they agree"
    assert rows["mIoU"] == ["0.500", "0.400", "-0.100"]
    assert rows["IoU Forest"] == ["0.810", "0.810", "+0.000"]
    assert lines[-1].startswith("not scored on the same hold-out and weeks")
    as_json = said("compare", "small--v1", "small--v2", "--store", store).stdout.splitlines()
    assert json.loads(as_json[0])["name"] == "trained on"


def test_a_model_that_knows_more_says_more(store: Path) -> None:
    shown = on_terminal("model", "show", "small--v2", "--store", store, columns=200)
    assert not any(line.startswith(("gain", "calibration", "applies", "hectares")) for line in shown), (
        "older models lack these"
    )
    row = {"mapped_ha": 1234.56, "adjusted_ha": 1100.0, "adjusted_ha_95": [1000.0, 1250.26]}
    more = {
        "boosting": {"gain_95": {"miou": [-0.01, 0.0305]}},
        "calibration": {"ece": 0.0421, "interval_95": {"ece": [0.04, 0.05]}},
        "applicability": {"inside_percent": 96.04, "inside": {"accuracy": 0.73}},
        "area": {"classes": {"3": row, "4": dict.fromkeys(row, 0)}},
    }
    known = model(3, 0.6)
    properties = known.properties | {"landstream:metrics": known.properties["landstream:metrics"] | more}
    FolderStore(store).put(known.key, canonical({**known.json, "properties": properties}))
    shown = on_terminal("model", "show", "small--v3", "--store", store, columns=200)
    assert shown[-4:] == [
        "gain        [-0.010, +0.030] mIoU over boosting on multi-scale features",
        "calibration 0.042 [0.040, 0.050], error of the confidence",
        "applies     96.0 % of held-out pixels are in its area of applicability; accuracy 0.730 inside",
        "hectares    1,100.0 [1,000.0, 1,250.3] Forest, mapped 1,234.6; held-out blocks",
    ]


def test_people_promote_and_go_back(store: Path) -> None:
    told = said("promote", "small--v1", "--store", store, "--reason", "better at the coast")
    assert told.stdout == f"champion: {OLD.id} (small-000003); the next `run`, or inference, maps with it\n"
    assert champion_line(store) == [(OLD.id, True, [1, 3]), (NEW.id, False, [2])]
    assert "no champion before it" in said("rollback", "--store", store, "--reason", "r").stderr
    said("promote", "small--v2", "--store", store, "--reason", "better inland")
    told = said("rollback", "--store", store, "--reason", "stripes")
    assert told.stdout.startswith(f"champion: {OLD.id} (small-000005)")
    assert champion_line(store) == [(OLD.id, True, [1, 3, 5]), (NEW.id, False, [2, 4])]
    catalogue = Context.of_store(FolderStore(store), AREA).reader.snapshot()
    assert [p.properties.get("landstream:reason") for p in catalogue.items("promotions")][2:] == [
        "better at the coast",
        "better inland",
        "stripes",
    ]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("promote", "small--v2", "--reason", "r"), f"{NEW.id}: is the champion already"),
        (("promote", "small--v9", "--reason", "r"), "small--v9: no model of this id; there are small--v2-"),
        (("promote", "small--v1", "--reason", " "), "--reason: say why"),
        (("show", "small"), "small: begins 2 ids"),
    ],
)
def test_mistakes_are_told_in_one_line(store: Path, arguments: tuple[str, ...], why: str) -> None:
    result = said(*arguments, "--store", store)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"landstream: {why}")
    assert result.stderr.count("\n") == 1


def test_there_is_nothing_to_choose_before_the_first_model(tmp_path: Path) -> None:
    bind(FolderStore(tmp_path), AREA)
    assert "no model yet" in on_terminal("model", "list", "--store", tmp_path)[0]
    assert said("list", "--store", tmp_path).stdout == ""
    assert "no model is champion" in said("rollback", "--store", tmp_path, "--reason", "r").stderr
    assert "choose the champion" in landstream("model", "--help").stdout
