"""A stream of eight weeks, dropped one by one: trainings by the area's policy, maps by the champion of the day."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.area import load_area
from shared.items.weeks import iso_week
from simulator.season import Acquisition, Site, plan_season, write_acquisition
from tests.conftest import AREAS, ROOT, landstream

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(3600)]

WEEKS = 8
EVERY_TILE_WEEKS = 40
"""A week's scene touches 12 to 16 tiles of the area: a model after each third or fourth week."""

SETTLED_S = 20.0
"""Longer than a training that is due waits to be asked for."""


def acquisitions(year: int) -> list[Acquisition]:
    """The labels, and one scene for each of eight weeks, by time."""
    plan = plan_season(year, products=131)
    labels = [a for a in plan if a.kind == "clc"]
    weeks = {iso_week(a.time): a for a in plan if a.why == "a further week" and a.kind == "s2-l2a" and not a.tile}
    return [*labels, *(weeks[week] for week in sorted(weeks)[10 : 10 + WEEKS])]


@pytest.fixture(scope="module")
def dropped(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The labels, and a product for each of eight weeks, by time."""
    area = load_area(AREAS / "small.yaml")
    site, folder = Site(area.grid.epsg, area.grid.bounds_m), tmp_path_factory.mktemp("eight")
    return [write_acquisition(site, acquisition, folder) for acquisition in acquisitions(area.years[0])]


@contextmanager
def watching(folder: Path, store: Path) -> Iterator[subprocess.Popen[str]]:
    """A run that is not told to end."""
    policy = {"quiet_s": 3, "every_tile_weeks": EVERY_TILE_WEEKS, "grow_percent": 0, "at_least_hours": 0}
    area = yaml.safe_load((AREAS / "small.yaml").read_text()) | {"train": policy}
    (folder / "area.yaml").write_text(yaml.safe_dump(area))
    command = [sys.executable, "-m", "landstream", "run", "--area", folder / "area.yaml", "--store", store]
    with (folder / "log").open("w") as log:
        run = subprocess.Popen(list(map(str, command)), cwd=ROOT, stdout=log, stderr=log, text=True)
        try:
            yield run
        finally:
            run.send_signal(signal.SIGTERM)
            run.wait(60)


def until(what: Callable[[], object], run: subprocess.Popen[str], within_s: float = 600.0) -> None:
    """Wait until something is so, while a run runs."""
    deadline_s = time.monotonic() + within_s
    while not what():
        assert run.poll() is None, "the run ended"
        assert time.monotonic() < deadline_s, what
        time.sleep(1.0)


@dataclass(frozen=True)
class Written:
    """An item of the store.

    Attributes:
        at_s: when it was written.
        week: that it lies in.
        facts: its properties.
    """

    at_s: float
    week: str
    facts: dict[str, Any]


def items(store: Path, collection: str) -> list[Written]:
    """The items of a collection, by when they were written."""
    paths = store.glob(f"items/{collection}/*/*.json")
    found = [Written(p.stat().st_mtime, p.parent.name, json.loads(p.read_text())["properties"]) for p in paths]
    return sorted(found, key=lambda item: item.at_s)


def champions(store: Path) -> list[tuple[float, str]]:
    """When each champion was promoted, and its model; in this order."""
    return [(p.at_s, p.facts["landstream:model"]) for p in items(store, "promotions")]


def current(store: Path) -> dict[str, str]:
    """Week -> the model of its current map."""
    lines = landstream("maps", "--latest", "--json", "--store", store).stdout.splitlines()
    return {split_map(item["id"]): item["properties"]["landstream:model"] for item in map(json.loads, lines)}


def split_map(item_id: str) -> str:
    """The week of a map's id, `small_2018-W22_r00c00_...`."""
    return item_id.split("_")[1]


def tiles_of(store: Path) -> dict[str, int]:
    """Week -> tiles that its scene touched."""
    scenes = [u for u in items(store, "cube-updates") if u.facts["landstream:sensor"] == "msi"]
    return {u.week: sum(last - first + 1 for _, first, last in u.facts["landstream:tiles"]) for u in scenes}


def trainings(tiles: list[int]) -> list[int]:
    """After which of the weeks a model is asked for: the first one, then whenever enough tile-weeks are new."""
    asked, known = list[int](), 0
    for number in range(len(tiles)):
        total = sum(tiles[: number + 1])
        if not asked or total - known >= EVERY_TILE_WEEKS:
            asked.append(number)
            known = total
    return asked


def drop(scene: Path, store: Path) -> None:
    """Put a product into `landing/`, whole at once."""
    shutil.copytree(scene, store.parent / "partial" / scene.name)
    (store.parent / "partial" / scene.name).rename(store / "landing" / scene.name)


def follow(weeks: list[str], store: Path, run: subprocess.Popen[str]) -> list[int]:
    """Wait until all that the last of some weeks gives cause for is done; as `trainings`."""
    until(lambda: weeks[-1] in tiles_of(store), run)
    tiles = tiles_of(store)
    asked = trainings([tiles[week] for week in weeks])
    until(lambda: len(champions(store)) == len(asked), run)
    until(lambda: set(current(store)) == set(weeks), run)
    if asked[-1] == len(weeks) - 1:
        newest = champions(store)[-1][1]
        until(lambda: set(current(store).values()) == {newest}, run)
    return asked


def test_trainings_follow_the_policy_and_the_champion_maps_what_arrives(dropped: list[Path], tmp_path: Path) -> None:
    store, (labels, *scenes) = tmp_path / "store", dropped
    weeks = [iso_week(a.time) for a in acquisitions(2018)[1:]]
    with watching(tmp_path, store) as run:
        until((store / "area.json").exists, run)
        (store / "landing").mkdir(exist_ok=True)
        shutil.copy(labels, store / "landing" / labels.name)
        until(lambda: items(store, "land-cover-labels"), run)
        for number, scene in enumerate(scenes):
            drop(scene, store)
            asked = follow(weeks[: number + 1], store, run)
        time.sleep(SETTLED_S)
        promoted = champions(store)
        assert len(items(store, "training-requests")) == len(promoted) == len(asked) > 2, "what the policy says"
        assert {r.facts["landstream:asked_by"] for r in items(store, "training-requests")} == {"policy"}
        for number, week in enumerate(weeks[1:], 1):
            # Who was champion as the scene came mapped it, and did not wait for the model that it gave cause for.
            (came_s,) = (u.at_s for u in items(store, "cube-updates") if u.week == week)
            of_the_day = [model for at_s, model in promoted if at_s < came_s][-1]
            first = next(m for m in items(store, "land-cover-maps") if m.week == week)
            assert first.facts["landstream:model"] == of_the_day, f"{number}: {week}"
            assert all(first.at_s < at_s for at_s, _ in promoted if at_s > came_s)
        before = promoted[-2][1]
        landstream("model", "rollback", "--reason", "to see it", "--store", store)
        until(lambda: current(store) == dict.fromkeys(weeks, before), run)
        assert len(items(store, "training-requests")) == len(asked), "a rollback asks for no model"
