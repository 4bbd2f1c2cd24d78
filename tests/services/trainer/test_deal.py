"""A hold-out as the trainer deals it: from the labels of the cube, and on from the one before."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from services.trainer.deal import deal, holdout_of
from services.trainer.item import write_split
from services.trainer.split import HELD_OUT, TRAIN, count_blocks, deal_holdout
from services.trainer.stage import STAGE
from shared.items.item import Item
from shared.items.properties import HoldOutFacts
from shared.stage.declare import Job, LocalItem, NewItem, Task
from tests.catalogues import AREA
from tests.services.trainer.fake_cube import FakeCube

CUBE = FakeCube(AREA, ("2018-W20",))
COUNTS = count_blocks(CUBE.given, len(AREA.labels.classes))


def dealt(folder: Path, *context: LocalItem, number: int = 1) -> NewItem:
    notes = {"labels": ["clc--v1-00000000"], "datetime": "2018-01-01T00:00:00Z"}
    job = Job("hold-outs", f"clc-{number}", "static", (), {"number": number}, notes=notes)
    return deal(Task(job, (), context, None, AREA, STAGE.settings(), folder, CUBE))  # type: ignore[arg-type]


def local(made: NewItem, item_id: str = "clc-1--v1-00000000") -> LocalItem:
    item = Item({"id": item_id, "collection": "hold-outs", "properties": made.properties}, "static")
    return LocalItem(item, {name: asset.path for name, asset in made.assets.items()})


def test_it_says_which_blocks_and_how_much_of_each_class_they_hold(tmp_path: Path) -> None:
    made = dealt(tmp_path)
    holdout, facts = holdout_of(local(made)), HoldOutFacts.of(local(made).item)
    assert (holdout == deal_holdout(COUNTS)).all()
    assert facts.blocks == {
        "training": int((holdout == TRAIN).sum()),
        "holdout": int((holdout == HELD_OUT).sum()),
        "new": int((holdout > 0).sum()),
    }
    assert (facts.number, facts.labels, facts.before) == (1, ("clc--v1-00000000",), None)
    for value, row in facts.classes.items():
        assert row["code"] == AREA.labels.values[int(value)].code
        assert row["training"] + row["holdout"] == int((CUBE.given == int(value)).sum())
        assert row["holdout"] == int(COUNTS[holdout == HELD_OUT][:, int(value) - 1].sum())


def test_it_continues_the_one_before(tmp_path: Path) -> None:
    before = deal_holdout(COUNTS)
    before[:, ::2] = 0
    before[:, 1::2] = np.where(before[:, 1::2] > 0, 3 - before[:, 1::2], 0)  # sides that a new deal would not choose
    path = tmp_path / "split.json"
    path.write_text(write_split(AREA, before, before * 0))
    champion = LocalItem(Item({"id": "small--v2-00000000", "collection": "models"}, "static"), {"split": path})
    made = dealt(tmp_path, champion, number=1)
    holdout, facts = holdout_of(local(made)), HoldOutFacts.of(local(made).item)
    assert (holdout[before > 0] == before[before > 0]).all()
    assert facts.before == "small--v2-00000000"
    assert facts.blocks["new"] == int((holdout[:, ::2] > 0).sum()) > 0
