"""A challenger and the champion are scored on blocks that neither has seen, and a verdict follows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
Found = dict[str, Any]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What comparisons say: `challenger champion allowance` -> properties of the evaluation."""
    folder = tmp_path_factory.mktemp("evaluate")
    command = [sys.executable, "-W", "error", "-m", "tests.services.trainer.evaluate_once", str(folder)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr[-3000:]
    read: Found = json.loads((folder / "found.json").read_text())
    return read


@pytest.mark.parametrize(
    ("compared", "verdict"),
    [
        ("common rare 0.0", "better"),
        ("rare common 0.005", "not better"),
        ("unseen common 0.005", "incomparable"),
        ("common unseen 0.005", "incomparable"),
    ],
)
def test_verdicts(found: Found, compared: str, verdict: str) -> None:
    said = found["blocks"][compared]
    names = compared.replace("unseen", "rare").split()[:2]
    assert [said["landstream:challenger"], said["landstream:champion"]] == [f"{n}--v1-00000000" for n in names]
    assert said["landstream:verdict"] == verdict


def test_both_are_scored_on_the_same_pixels(found: Found) -> None:
    said = found["blocks"]["common rare 0.0"]
    common, rare = (said["landstream:scores"][who] for who in ("challenger", "champion"))
    assert common["pixels"] == rare["pixels"] > 0
    assert common["accuracy"] == common["majority_accuracy"] > rare["accuracy"]
    assert 10 <= said["landstream:blocks"] <= found["held_out"]
    low, high = said["landstream:gain"]["accuracy"]
    assert low < common["accuracy"] - rare["accuracy"] < high
    back = found["blocks"]["rare common 0.005"]
    assert back["landstream:gain"]["accuracy"] == [-high, -low]


def test_a_block_that_either_has_seen_is_left_out(found: Found) -> None:
    whole = found["blocks"]["common rare 0.0"]["landstream:blocks"]
    halves = [found["blocks"][f"{names} 0.005"] for names in ("half common", "common half")]
    assert len({half["landstream:blocks"] for half in halves}) == 1
    assert 0 < halves[0]["landstream:blocks"] < whole


def test_an_imported_model_has_seen_nothing_as_far_as_is_known(found: Found) -> None:
    said = found["blocks"]["imported rare 0.0"]
    assert said == found["blocks"]["common rare 0.0"], "a split that holds out the whole hold-out says no more"


def test_a_comparison_with_nothing_to_compare_on_says_so(found: Found) -> None:
    said = found["blocks"]["unseen common 0.005"]
    assert (said["landstream:blocks"], said["landstream:gain"]) == (0, {})


def test_it_says_what_was_read_and_when_it_is_of(found: Found) -> None:
    said = found["blocks"]["common rare 0.0"]
    assert said["landstream:snapshot"] == "FAKESNAPSHOT"
    assert said["landstream:hold_out"] == 3
    assert said["start_datetime"] < said["end_datetime"]
    assert said["datetime"] is None
