"""Area files of before are read, and told where their keys stand now."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.area import AreaError, load_area
from shared.area.moved import MOVED
from shared.area.training import TrainingPolicy, TrainingSettings
from tests.conftest import AREAS, landstream

NOW = (AREAS / "small.yaml").read_text()
BEFORE = NOW.replace("training:", "policy:\n  every: 100\n  quiet_s: 5\n  remap: 53\n  training:")


def test_keys_below_policy_are_read_and_told(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(BEFORE)
    told: list[str] = []
    area = load_area(tmp_path / "a.yaml", told.append)
    assert area.train == TrainingPolicy(every_tile_weeks=100, quiet_s=5)
    assert area.training == TrainingSettings(filters=8, epochs=2, steps=10, folds=0)
    assert area.remap == 53
    assert told == [
        f"{tmp_path}/a.yaml:{line}: policy.{old} is `{new}` now; `policy` is read for one release more"
        for line, old, new in (
            (9, "every", "train.every_tile_weeks"),
            (10, "quiet_s", "train.quiet_s"),
            (11, "remap", "remap"),
            (12, "training", "training"),
        )
    ]


def test_a_file_of_today_is_told_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(NOW)
    said = landstream("area", "check", tmp_path / "a.yaml")
    assert said.stderr == ""
    (tmp_path / "a.yaml").write_text(BEFORE)
    assert len(landstream("area", "check", tmp_path / "a.yaml").stderr.splitlines()) == len(MOVED) - 3


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("policy: {often: 3}", "policy.often: is not a key; docs/area.md names them all"),
        ("policy: 3", "policy: is a mapping of keys"),
        ("policy: {remap: 3}\nremap: 4", "policy.remap: stands twice; `remap` is its place now"),
        ("policy: {every: 3}\ntrain: {every_tile_weeks: 4}", "policy.every: stands twice"),
        ("policy: {every: 3}\ntrain: 5", "train: is a mapping"),
        ("policy: {every: 0}", "train.every_tile_weeks: Input should be greater than or equal to 1"),
    ],
)
def test_what_cannot_be_moved_is_refused(policy: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"{NOW}{policy}\n")
    with pytest.raises(AreaError) as caught:
        load_area(tmp_path / "a.yaml")
    assert said in str(caught.value)
