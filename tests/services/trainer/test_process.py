"""What a training goes on from: its own checkpoint, with the snapshot of the cube that was read then."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.trainer import checkpoint
from services.trainer.checkpoint import State, Way
from services.trainer.process import _take_up
from services.trainer.stage import STAGE
from shared.items.item import Item
from shared.stage.declare import Job, LocalItem, Scratch, Source, Task
from tests.catalogues import AREA


class Snapshots:
    """A cube that can be read at some snapshots; the first is the newest."""

    def __init__(self, *snapshots: str) -> None:
        self.snapshot, self._all = snapshots[0], snapshots

    def as_of(self, snapshot: str) -> Snapshots:
        if snapshot not in self._all:
            raise LookupError(snapshot)
        return Snapshots(snapshot)


def task(folder: Path, cube: Snapshots, hold_out: str = "clc-1--v1-00000001") -> Task[Any]:
    request = Item({"id": "request--v1-00000001", "collection": "training-requests", "properties": {}}, "static")
    job = Job("models", AREA.name, "static", (Source(request, ()),), {"cube_state": "0" * 64})
    context = LocalItem(Item({"id": hold_out, "collection": "hold-outs", "properties": {}}, "static"), {})
    kept = folder / "kept"
    scratch = Scratch(kept if kept.exists() else None, lambda path: path.rename(kept) and None)
    return Task(job, (), (context,), None, AREA, STAGE.settings(), folder, cube, scratch=scratch)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a training that read the snapshot `first` left a checkpoint."""
    monkeypatch.setattr(checkpoint, "EVERY_S", 0.0)
    _, part = _take_up(task(tmp_path, Snapshots("first")), AREA)
    assert part.reached is None
    part.save(lambda: State(Way([], dict(np.random.default_rng(7).bit_generator.state))))
    return tmp_path


def test_it_goes_on_with_the_snapshot_that_was_read(folder: Path) -> None:
    cube, part = _take_up(task(folder, Snapshots("second", "first")), AREA)
    assert cube.snapshot == "first"
    assert part.reached is not None
    assert part.reached.published.began == np.random.default_rng(7).bit_generator.state


def test_it_begins_anew_once_that_is_gone(folder: Path) -> None:
    cube, part = _take_up(task(folder, Snapshots("second")), AREA)
    assert (cube.snapshot, part.reached) == ("second", None)


def test_it_begins_anew_where_bits_would_follow_from_something_else(folder: Path) -> None:
    other = AREA.model_copy(update={"training": AREA.training.model_copy(update={"seed": 5})})
    cube = Snapshots("first")
    given = task(folder, cube)
    parameters = replace(given, job=replace(given.job, parameters={"cube_state": "1" * 64}))
    for changed, area in ((given, other), (task(folder, cube, "clc-2--v1-00000001"), AREA), (parameters, AREA)):
        assert _take_up(changed, area)[1].reached is None
    assert _take_up(given, AREA)[1].reached is not None
