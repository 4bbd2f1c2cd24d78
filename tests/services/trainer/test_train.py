"""Training as a whole, in fresh processes, of which one is killed: a sound item, a card, a model, the same bits."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.trainer.ground import Ground
from services.trainer.train import check_ground, chosen_weeks
from shared.area.training import TrainingSettings
from shared.raster.applicability import read_applicability
from shared.stage.declare import RejectScene

ROOT = Path(__file__).parents[3]
POLICY = {"filters": 8, "epochs": 2, "steps": 6, "folds": 2}
KILLED_AT = 2 * (6 + 24) + 2 * 6 + 30
"""The batch at which one is killed: the published networks are trained, and one of two of the first fold's."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training."""
    folder = tmp_path_factory.mktemp("trained")
    ended(start(folder))
    return folder


def start(folder: Path, *batch: int) -> subprocess.Popen[str]:
    """Start a training in a process of its own; see `train_once`."""
    return subprocess.Popen(
        [
            *(sys.executable, "-W", "error", "-m", "tests.services.trainer.train_once"),
            *(str(folder), json.dumps(POLICY), *map(str, batch)),
        ],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
    )


def ended(child: subprocess.Popen[str], code: int = 0) -> None:
    """Wait for a training's end."""
    try:
        _, errors = child.communicate(timeout=500)
        assert child.returncode == code, errors[-3000:]
    finally:
        child.kill()
        child.communicate()


def read(folder: Path) -> dict[str, Any]:
    """The item that a training made."""
    item: dict[str, Any] = json.loads((folder / "item.json").read_text())
    return item


@pytest.mark.chaos
@pytest.mark.timeout(1200)
def test_a_training_that_was_killed_and_goes_on_gives_the_same_bits(trained: Path, tmp_path: Path) -> None:
    ended(start(tmp_path, KILLED_AT), -signal.SIGKILL)
    assert (tmp_path / "kept").stat().st_size
    ended(start(tmp_path, 0))
    first, second = (read(folder) for folder in (trained, tmp_path))
    first.pop("seconds"), second.pop("seconds")
    whole, rest = first.pop("progress"), second.pop("progress")
    assert whole[0] == [0, 12, "epochs"]
    assert rest[0][0] > 0
    assert rest[1:] == whole[-len(rest) + 1 :]
    assert first == second
    for name in ("card.html", "split.json", "applicability.json", "curves.json", "tensorboard.tar"):
        assert (trained / name).read_bytes() == (tmp_path / name).read_bytes(), name


def test_metrics(trained: Path) -> None:
    properties = read(trained)["properties"]
    metrics = properties["landstream:metrics"]
    assert re.fullmatch("[0-9a-f]{64}", properties["landstream:weights_sha256"])
    assert metrics["accuracy"] > metrics["majority_accuracy"]
    assert 0 < metrics["miou"] <= 1
    assert set(metrics["forest"]) >= {"accuracy", "miou"}
    assert sum(map(sum, metrics["confusion"])) == metrics["pixels"] > 0
    assert metrics["per_class"]["1"]["name"] == "Artificial surfaces"
    assert sum(row["support"] for row in metrics["per_class"].values()) == metrics["pixels"]
    cells = metrics["boosting"]["model"]["pixels"]
    assert 0.05 * metrics["pixels"] < cells < 0.25 * metrics["pixels"], "a cell in four, of one week of two"
    assert set(metrics["boosting"]["gain_95"]) == {"accuracy", "miou"}
    assert metrics["boosting"]["accuracy"] > metrics["majority_accuracy"]
    assert sum(row["pixels"] for row in metrics["calibration"]["bins"]) == metrics["pixels"]
    assert sum(row["pixels"] for row in metrics["by_week"].values()) == metrics["pixels"]
    assert sum(row["pixels"] for row in metrics["by_edge"].values()) == metrics["pixels"]
    applies = metrics["applicability"]
    assert 80 < applies["inside_percent"] <= 100
    assert applies["inside"]["pixels"] < metrics["pixels"], "of one week of two"
    hectares = metrics["area"]["classes"].values()
    ground = metrics["area"]["ground_ha"]
    assert abs(sum(row["mapped_ha"] for row in hectares) - ground) < 0.1
    assert abs(sum(row["adjusted_ha"] for row in hectares) + metrics["area"]["unassessed_ha"] - ground) < 0.1
    assert ground <= metrics["blocks"] * 128 * 128 * 0.01
    folds = properties["landstream:folds"]
    assert folds["count"] == len(folds["each"]) == 2
    assert folds["pooled"]["pixels"] == sum(fold["pixels"] for fold in folds["each"]) > metrics["pixels"]


def test_the_item_says_what_it_is(trained: Path) -> None:
    item = read(trained)
    properties = item["properties"]
    assert properties["datetime"] is None
    assert properties["start_datetime"] == "2018-05-14T00:00:00Z"
    assert properties["end_datetime"] == "2018-06-24T23:59:59Z"
    assert properties["landstream:determinism"]["threads"] == {"intra_op": 2, "inter_op": 1}
    assert properties["landstream:determinism"]["op_determinism"] is True
    assert 0 <= properties["landstream:model_version"] < 2**32
    assert [i["name"] for i in properties["mlm:input"]] == ["msi_10m", "msi_20m"]
    assert properties["mlm:tasks"] == ["semantic-segmentation"]
    assert item["assets"]["model"]["roles"] == ["mlm:model"]
    assert item["assets"]["applicability"]["type"] == "application/json"
    known = read_applicability((trained / "applicability.json").read_bytes())
    assert known.threshold == pytest.approx(properties["landstream:metrics"]["applicability"]["threshold"], abs=1e-6)
    assert item["progress"][-1] == [12, 12, "epochs"]  # of a U-Net and a perceptron, for the hold-out and each fold
    assert "Contains modified Copernicus Sentinel data [2018]" in properties["landstream:attribution"]


def test_the_curves_are_files(trained: Path) -> None:
    networks = json.loads((trained / "curves.json").read_text())["networks"]
    assert {name: {c: len(v) for c, v in curves.items()} for name, curves in networks.items()} == {
        name: {"loss": 2, "learning_rate": 2} for name in ("unet", "multiscale")
    }
    with tarfile.open(trained / "tensorboard.tar") as archive:
        assert [Path(name).parent.as_posix() for name in archive.getnames()] == ["unet/train", "multiscale/train"]
    assert {"curves", "tensorboard"} < read(trained)["assets"].keys()


def test_the_split_is_written_out(trained: Path) -> None:
    split = json.loads((trained / "split.json").read_text())
    assert [len(row) for row in split["holdout"]] == [8] * 8
    assert set("".join(split["holdout"])) <= set("012")
    assert set("".join(split["fold"])) <= set("012")


def test_the_card_needs_nothing_beside_it(trained: Path) -> None:
    card = (trained / "card.html").read_text()
    assert card.count("data:image/png;base64,") >= 5, "two plans, and three pictures of a block"
    assert re.findall(r'(?:src|href)="(?!data:)([^"]+)', card) == ["../../../../land-cover-maps/collection.json"], (
        "a link alone"
    )
    assert "European Environment Agency" in card


def test_the_archive_is_a_plain_saved_model(trained: Path) -> None:
    with tarfile.open(trained / "model.tar", "r:") as archive:
        members = archive.getmembers()
    assert all(m.isreg() and m.mtime == 0 and m.uid == 0 for m in members)
    names = [m.name for m in members]
    assert names == sorted(names)
    assert {"saved_model.pb", "variables/variables.index"} <= set(names)


def test_our_own_model_would_be_let_in_as_an_imported_one(trained: Path) -> None:
    from services.trainer.imports.graph import read_graph
    from services.trainer.imports.signature import check_signatures

    check_signatures(read_graph(trained / "saved_model"))


def test_the_model_answers_in_the_cubes_encoding(trained: Path) -> None:
    import tensorflow as tf

    model = tf.saved_model.load(str(trained / "saved_model"))
    rng = np.random.default_rng(0)
    fine = rng.integers(1500, 5000, (2, 256, 256, 4)).astype(np.uint16)
    coarse = rng.integers(1500, 5000, (2, 128, 128, 6)).astype(np.uint16)
    fine[0, :50], coarse[0, :25] = 0, 0
    coarse[1, 3, 4] = 0  # observed at 10 m only: not observed
    inputs = {"msi_10m": tf.constant(fine), "msi_20m": tf.constant(coarse)}
    answer = {name: value.numpy() for name, value in model.signatures["serving_default"](**inputs).items()}
    assert set(answer) == {"class", "confidence"}
    for value in answer.values():
        assert value.dtype == np.uint8
        assert value.shape == (2, 256, 256)
    seen = np.ones((2, 256, 256), bool)
    seen[0, :50], seen[1, 6:8, 8:10] = False, False
    assert ((answer["class"] > 0) == seen).all()
    assert answer["class"].max() <= 5
    assert answer["confidence"].max() <= 100
    assert not answer["confidence"][~seen].any()
    full = {name: value.numpy() for name, value in model.signatures["probabilities"](**inputs).items()}
    assert full["probabilities"].shape == (2, 256, 256, 5)
    assert (full["class"] == answer["class"]).all()
    assert np.abs(full["probabilities"].sum(axis=-1, dtype=int)[seen] - 255).max() <= 5
    assert not full["probabilities"][~seen].any()


def test_weeks_are_those_of_every_year() -> None:
    weeks = ["2018-W13", "2018-W14", "2018-W32", "2018-W33", "2019-W20"]
    assert chosen_weeks(weeks, TrainingSettings()) == weeks
    assert chosen_weeks(weeks, TrainingSettings(weeks=(14, 32))) == ["2018-W14", "2018-W32", "2019-W20"]
    with pytest.raises(RejectScene, match="no week from 40 to 50 holds data"):
        chosen_weeks(weeks, TrainingSettings(weeks=(40, 50)))


def test_ground_without_what_the_recipe_needs_is_refused() -> None:
    none, some = np.zeros((1, 8, 8), np.uint8), np.ones((1, 8, 8), np.uint8)
    validated = TrainingSettings(validation_percent=20)
    check_ground(Ground(some), TrainingSettings())
    check_ground(Ground(some, some), validated)
    for ground, settings, fault in (
        (Ground(none), TrainingSettings(), "no labelled pixel is observed"),
        (Ground(none), TrainingSettings(edge_px=3), "further than 3 px from a label edge"),
        (Ground(some), validated, "no labelled pixel of a validation block"),
        (Ground(some, none), validated, "no labelled pixel of a validation block"),
    ):
        with pytest.raises(RejectScene, match=fault):
            check_ground(ground, settings)
