"""Hugin's training files as training settings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from landstream.hugin import HuginError, read_hugin
from shared.area.inputs import DEFAULT_INPUTS
from shared.area.training import TrainingSettings

THESIS = Path(__file__).parent / "thesis.yaml"
TEXT = THESIS.read_text()

WITHOUT_A_WORD = {
    "trainer", "trainer.name", "trainer.model", "data_source", "data_source.inputs", "data_source.targets",
    "data_source.random_seed", "inputs.input_1.component", "inputs.input_2.component", "targets.output_1.component",
    "keras_config", "model.name", "model.random_seed", "model.batch_size", "model.loss", "model.optimizer",
    "model.callbacks", "model.checkpoint", "model.metrics", "optimizer.lr", "optimizer.beta_1", "optimizer.beta_2",
    "optimizer.epsilon", "EarlyStopping.monitor", "EarlyStopping.min_delta", "EarlyStopping.patience",
    "EarlyStopping.mode", "EarlyStopping.baseline", "EarlyStopping.restore_best_weights", "ReduceLROnPlateau.monitor",
    "ReduceLROnPlateau.patience", "ReduceLROnPlateau.factor", "ModelCheckpoint.monitor",
    "ModelCheckpoint.save_best_only", "metrics.categorical_accuracy", "metrics.MeanIoU", "metrics.Precision",
    "metrics.Recall",
}  # fmt: skip
"""Keys of the thesis's form that are settings, or that are so in every training here."""

WITH_A_LINE = {
    "configuration", "predictor", "output", "data_source.source", "slice_timestamps", "inputs.input_1",
    "inputs.input_1.standardizers", "inputs.input_2", "targets.output_1", "targets.output_1.sample_reshape",
    "split_test_index_array", "split_train_index_array", "data_source.randomise", "model_builder",
    "model.model_builder_options", "model.swap_axes", "model.enable_multi_gpu", "model.num_gpus",
    "model.use_multiprocessing", "model.workers", "model.max_queue_size", "EarlyStopping.verbose",
}  # fmt: skip
"""Keys of the thesis's form that have no counterpart, or mean something else here."""

ABOUT = {"which bands", "a sample is a tile", "it validates on what it trains on", "an epoch is a pass"}
"""Lines that are about more than a key."""


LOSS = "loss: categorical_crossentropy"
FOCAL = """loss: !!python/object/apply:keras.losses.CategoricalFocalCrossentropy
    kwds: {gamma: 1.5, label_smoothing: 0.1}"""


def read(tmp_path: Path, text: str) -> tuple[TrainingSettings, list[str]]:
    path = tmp_path / "hugin.yaml"
    path.write_text(text)
    return read_hugin(path)


def changed(old: str, new: str) -> str:
    assert TEXT.count(old) == 1, old
    return TEXT.replace(old, new)


def test_a_file_of_the_thesis_is_the_preset() -> None:
    assert read_hugin(THESIS).settings == TrainingSettings(preset="thesis-2018")


def test_each_key_of_the_thesis_is_a_setting_or_has_a_line() -> None:
    lines = read_hugin(THESIS).lines
    said = [line.split(": ", 1)[1] for line in lines]
    keys = {match[1] for line in said if (match := re.match(r"`([^`]+)`", line))}
    assert keys == WITH_A_LINE
    assert {about for about in ABOUT if any(line.startswith(about) for line in said)} == ABOUT
    assert len(said) == len(WITH_A_LINE) + len(ABOUT)
    numbers = [int(line.removeprefix(f"{THESIS}:").partition(":")[0]) for line in lines]
    assert numbers == sorted(numbers)
    for line, number in zip(said, numbers, strict=True):
        if match := re.match(r"`([^`]+)`", line):
            assert match[1].rpartition(".")[2] in TEXT.splitlines()[number - 1]
    for about in WITHOUT_A_WORD | WITH_A_LINE:
        name = about.rpartition(".")[2]
        assert name in TEXT or name == "ModelCheckpoint", f"{about}: the file has it"


def test_every_key_of_the_file_is_listed_here() -> None:
    listed = {part for name in WITHOUT_A_WORD | WITH_A_LINE for part in name.split(".")}
    found = set(re.findall(r"^ *(?:- )?(\w+):", TEXT, re.M)) - {"kwds"}
    below = {"workspace", "output_channels", "zarr_dataset", "destination_array", "epochs"}
    assert found - listed <= below, "what stands below a key with a line, and the epochs, whose line says more"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("epochs: 100", "epochs: 30", {"epochs": 30}),
        ("epochs: 100", "epochs: 30\n  steps_per_epoch: 7", {"epochs": 30, "steps": 7}),
        ("batch_size: 1", "batch_size: 8", {"batch": 8}),
        ("lr: !!float 0.001", "learning_rate: 1e-4", {"learning_rate": 1e-4}),
        ("patience: 20", "patience: 9", {"early_stop_patience": 9}),
        ("factor: !!float 0.2", "factor: 0.5", {"plateau_factor": 0.5}),
        ("patience: 5\n", "patience: 3\n", {"plateau_patience": 3}),
        ("slice_timestamps: [14, 32]", "slice_timestamps: [14, 40]", {"weeks": (14, 40), "history_weeks": 26}),
        ("  random_seed: 42\n  batch", "  random_seed: 1984\n  batch", {"seed": 1984}),
        (LOSS, "loss: !!python/name:hugin.tools.loss.keras_dice_loss", {"loss": "dice"}),
        (LOSS, FOCAL, {"loss": "focal", "focal_gamma": 1.5, "label_smoothing": 0.1}),
        ("tensorflow.keras.optimizers.Adam", "keras.optimizers.AdamW", {"optimiser": "adamw"}),
    ],
    ids=lambda value: str(value)[:30],
)
def test_values_become_settings(tmp_path: Path, old: str, new: str, expected: dict[str, Any]) -> None:
    settings, _ = read(tmp_path, changed(old, new))
    assert settings == TrainingSettings(preset="thesis-2018", **expected)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "epsilon: !!float 1e-7",
            "epsilon: !!float 1e-8",
            ":37: `optimizer.epsilon` has no counterpart: it is always 1e-07 here",
        ),
        (
            "monitor: 'val_loss'\n        min_delta",
            "monitor: val_dice_coef\n        min_delta",
            "`EarlyStopping.monitor` has no counterpart: it is always val_loss here",
        ),
        (
            "tensorflow.keras.optimizers.Adam",
            "keras.optimizers.SGD",
            "`optimizer` has no counterpart: 'sgd' is trained with Adam",
        ),
        (LOSS, "loss: mse", "`loss` has no counterpart: 'mse' is trained with cross-entropy"),
        ("[14, 32]", "[14, 32, 2]", "`slice_timestamps[2]` has no counterpart"),
        ("workers: 12", "workres: 12", "`model.workres` has no counterpart: Landstream does not know it"),
        ("tensorflow.keras.metrics.Recall", "tensorflow.keras.metrics.AUC", ":21: `metrics.AUC` has no counterpart"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_has_no_counterpart_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    _, lines = read(tmp_path, changed(old, new))
    assert sum(said in line for line in lines) == 1
    assert not any(said in line for line in read_hugin(THESIS).lines)


RASTERS = """\
data_source: !!python/object/apply:hugin.io.FileSystemLoader
  kwds: {input_source: /data, data_pattern: '.*', id_format: '{name}', validation_percent: 0.25}
trainer: !!python/object/apply:hugin.engine.scene.RasterSceneTrainer
  kwds:
    name: unet
    window_size: [64, 64]
    stride_size: 32
    mapping:
      inputs:
        input_1: {primary: true, channels: [{type: B04, channel: 1}, {type: B08_10m, channel: 1}]}
      target: {output_1: {channels: [[GTI, 1]]}}
    model: !!python/object/apply:hugin.engine.keras.KerasModel
      kwds: {name: m, model_builder: 'hugin.models.unet.unetv14:unet_v14', batch_size: 14, epochs: 10, loss: categorical_crossentropy}
"""  # noqa: E501


def test_a_file_over_rasters(tmp_path: Path) -> None:
    settings, lines = read(tmp_path, RASTERS)
    assert settings == TrainingSettings(
        architecture="unet", batch=14, epochs=10, patch_px=64, inputs=("msi_10m",), validation_percent=25,
        optimiser="adam", learning_rate=1e-3, flips=False, rotations=False,
    )  # fmt: skip
    assert any("the learning rate stays as it is there: here it falls along a cosine" in line for line in lines)
    assert read(tmp_path, RASTERS.replace("type: B04", "type: B11_20m"))[0].inputs == DEFAULT_INPUTS
    assert read(tmp_path, RASTERS.replace("[64, 64]", "[256, 256]"))[0].patch_px == 192


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: 1", ":1: `trainer` is no ArrayModelTrainer or RasterSceneTrainer; give a training file of Hugin's"),
        (changed("batch_size: 1", "batch_size: many"), ":13: `batch_size` is no number; mend it"),
        (changed("batch_size: 1", "batch_size: 1.5"), ":13: `batch_size` is no whole number; mend it"),
        (changed("batch_size: 1", "batch_size: 0"), ":13: batch: Input should be greater than or equal to 1"),
        (changed("[14, 32]", "[14, 99]"), ":57: weeks: are the first and the last ISO week"),
        (changed("[14, 32]", "[soon]"), ":57: `slice_timestamps` is no list of two whole numbers or more"),
        (changed("patience: 20", "patience: []"), "`patience` is no number"),
        (RASTERS.replace("[64, 64]", "[70, 70]"), ":6: patch_px: Input should be a multiple of 16; mend the value"),
        (RASTERS.replace("hugin.engine.keras.KerasModel", "hugin.models.unet.UNet"), ":12: `model` is no KerasModel"),
        (changed("metrics:\n", "metrics: all\n  odd:\n"), "`metrics` is no list"),
    ],
    ids=lambda value: str(value)[-30:],
)
def test_faults_name_file_line_and_remedy(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(HuginError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path}/hugin.yaml:")
    assert fault in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_file_would_run_code_elsewhere() -> None:
    with pytest.raises(yaml.constructor.ConstructorError, match="python/object/apply"):
        yaml.safe_load(TEXT)
