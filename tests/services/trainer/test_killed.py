"""SIGKILL at ten random steps of a training, each in a process of its own: the same weights to the bit."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
RECIPE = {
    "filters": 4, "epochs": 3, "steps": 3, "folds": 2, "validation_percent": 20, "schedule": "plateau",
    "plateau_patience": 1, "keep_best": True, "noise_share": 0.1, "history_weeks": 5,
}  # fmt: skip

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(7200)]


def train(folder: Path, *batch: int) -> subprocess.CompletedProcess[str]:
    """See `train_once`."""
    return subprocess.run(
        [sys.executable, "-m", "tests.services.trainer.train_once", str(folder), json.dumps(RECIPE), *map(str, batch)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
    )


def told(folder: Path) -> dict[str, Any]:
    item: dict[str, Any] = json.loads((folder / "item.json").read_text())
    return {name: value for name, value in item.items() if name not in {"seconds", "progress"}}


def test_killed_at_ten_random_steps(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
    assert train(whole).returncode == 0
    rng, deaths = random.Random(20261129), 0
    for _ in range(10):
        step = rng.randint(1, 60)  # of what is left: a few epochs of one network, whichever that is
        died = train(killed, step)
        assert died.returncode in (0, -signal.SIGKILL), died.stderr[-3000:]
        deaths += died.returncode != 0
        print(f"killed at batch {step}" if died.returncode else f"done before batch {step}")
        if died.returncode == 0:  # it was done: begin anew, so that ten are killed
            (killed / "kept").unlink()
    ended = train(killed, 0)
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert deaths >= 8
    assert told(killed) == told(whole)
    for name in ("card.html", "split.json", "curves.json", "tensorboard.tar"):
        assert (killed / name).read_bytes() == (whole / name).read_bytes(), name
