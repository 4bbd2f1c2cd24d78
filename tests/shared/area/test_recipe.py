"""The recipe of a training: presets, what is stored, and what is refused because it would do nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from shared.area import AreaError, load_area
from shared.area.recipe import PRESETS, Recipe
from shared.area.training import TrainingSettings
from tests.conftest import AREAS

VALIDATED = {"validation_percent": 20.0}


def test_defaults_are_stored_as_before_there_was_a_recipe() -> None:
    assert list(TrainingSettings().model_dump(mode="json")) == [
        "filters", "epochs", "steps", "batch", "patch_px", "learning_rate", "folds", "seed",
    ]  # fmt: skip


CHANGES: dict[str, tuple[Any, dict[str, Any]]] = {
    "loss": ("dice", {}),
    "focal_gamma": (1.0, {"loss": "focal"}),
    "label_smoothing": (0.1, {}),
    "class_weights": ("balanced", {}),
    "edge_px": (2, {}),
    "edge_weight": (0.5, {"edge_px": 2}),
    "flips": (False, {}),
    "rotations": (False, {}),
    "noise_share": (0.1, {}),
    "shift_px": (2, {}),
    "optimiser": ("adam", {}),
    "validation_percent": (10.0, {}),
    "schedule": ("plateau", VALIDATED),
    "plateau_patience": (3, {"schedule": "plateau", **VALIDATED}),
    "plateau_factor": (0.5, {"schedule": "plateau", **VALIDATED}),
    "early_stop_patience": (4, VALIDATED),
    "early_stop_min_delta": (0.01, {"early_stop_patience": 4, **VALIDATED}),
    "keep_best": (True, VALIDATED),
    "weeks": ([10, 20], {}),
    "mixed_precision": (True, {}),
    "xla": (True, {}),
}
"""Field -> another value, and what it needs."""


def test_every_field_is_tried() -> None:
    assert set(CHANGES) == set(Recipe.model_fields) - {"preset"}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_set_is_stored_and_read_again(name: str) -> None:
    value, needed = CHANGES[name]
    settings = TrainingSettings.model_validate({name: value, **needed})
    stored = json.loads(json.dumps(settings.model_dump(mode="json")))
    assert stored[name] == value
    assert set(stored) - set(TrainingSettings().model_dump()) == {name, *needed}
    assert TrainingSettings.model_validate(stored) == settings


@pytest.mark.parametrize("name", [name for name, (_, needed) in CHANGES.items() if needed])
def test_what_would_do_nothing_is_refused(name: str) -> None:
    value, _ = CHANGES[name]
    with pytest.raises(ValidationError, match=rf"{name} does nothing without .*; leave it out, or set that"):
        TrainingSettings.model_validate({name: value})


@pytest.mark.parametrize("fields", [{"flips": False}, {"rotations": False}, {"noise_share": 0.1}, {"shift_px": 2}])
def test_a_perceptron_alone_has_no_patches_to_augment(fields: dict[str, Any]) -> None:
    TrainingSettings(**fields)
    with pytest.raises(ValidationError, match="does nothing without a network that reads patches"):
        TrainingSettings(architecture="multiscale", **fields)


def test_a_whole_window_has_no_room_to_be_moved_in() -> None:
    TrainingSettings(shift_px=2, patch_px=176)
    with pytest.raises(ValidationError, match="shift_px does nothing without a smaller `patch_px`"):
        TrainingSettings(shift_px=2, patch_px=192)


@pytest.mark.parametrize(
    "fields",
    [
        {"weeks": [0, 5]}, {"weeks": [20, 10]}, {"weeks": [1, 54]}, {"weeks": [4]}, {"shift_px": 3},
        {"label_smoothing": 1}, {"edge_weight": 1, "edge_px": 1}, {"validation_percent": 51}, {"patch_px": 208},
        {"loss": "focal", "focal_gamma": float("inf")}, {"plateau_factor": 1}, {"preset": "thesis-2019"}, {"preset": 3},
    ],
    ids=str,
)  # fmt: skip
def test_values_out_of_range(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TrainingSettings.model_validate(fields)


def test_a_preset_is_its_settings_and_others_override_it() -> None:
    thesis = TrainingSettings(preset="thesis-2018")
    assert thesis == TrainingSettings(**PRESETS["thesis-2018"])
    assert (thesis.networks, thesis.optimiser, thesis.learning_rate, thesis.batch) == (("unet",), "adam", 1e-3, 1)
    assert (thesis.epochs, thesis.early_stop_patience, thesis.early_stop_min_delta) == (100, 20, 1e-3)
    assert (thesis.schedule, thesis.plateau_patience, thesis.plateau_factor) == ("plateau", 5, 0.2)
    assert (thesis.keep_best, thesis.seed, thesis.inputs, thesis.weeks) == (True, 42, ("msi_10m",), (14, 32))
    assert TrainingSettings(preset="thesis-2018", weeks=(14, 40)) == thesis.model_copy(update={"weeks": (14, 40)})
    stored = thesis.model_dump(mode="json")
    assert "preset" not in stored
    assert TrainingSettings.model_validate(stored) == thesis


def test_an_area_file_names_a_preset(tmp_path: Path) -> None:
    text = (AREAS / "small.yaml").read_text()
    path = tmp_path / "a.yaml"
    path.write_text(text.replace("training: {filters: 8, epochs: 2", "training: {preset: thesis-2018, epochs: 30"))
    expected = TrainingSettings(preset="thesis-2018", epochs=30, steps=10, folds=0)
    assert load_area(path).training == expected
    path.write_text(text.replace("epochs: 2", "early_stop_patience: 2"))
    with pytest.raises(AreaError, match=r"a.yaml:8: training: early_stop_patience does nothing without `validation_"):
        load_area(path)
