"""A model reads what a map gives, and answers what a map needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

CLASSES = 3
SEEN = np.ones((1, 4, 4), bool)
SEEN[0, 0] = False

Change = Callable[[Any], None]


def refusal(meta: Any) -> str:
    """Why signatures are refused; empty where they are those of a map's model."""
    from services.trainer.imports.signature import UnfitModel, check_signatures

    try:
        check_signatures(meta)
    except UnfitModel as error:
        return error.fault if error.remedy else "refused without a remedy"
    return ""


def described() -> Any:
    from tests.services.trainer.imports.saved_models import plain

    return plain().meta_graphs[0]


def no_probabilities(meta: Any) -> None:
    del meta.signature_def["probabilities"]


def another_input(meta: Any) -> None:
    meta.signature_def["serving_default"].inputs["time"].name = "time:0"


def no_coarse_bands(meta: Any) -> None:
    del meta.signature_def["probabilities"].inputs["msi_20m"]


def reflectance(meta: Any) -> None:
    meta.signature_def["serving_default"].inputs["msi_10m"].dtype = 1


def three_bands(meta: Any) -> None:
    meta.signature_def["serving_default"].inputs["msi_10m"].tensor_shape.dim[3].size = 3


def fixed_sides(meta: Any) -> None:
    meta.signature_def["serving_default"].inputs["msi_20m"].tensor_shape.dim[1].size = 128


def no_rank(meta: Any) -> None:
    meta.signature_def["serving_default"].inputs["msi_20m"].tensor_shape.ClearField("dim")


def no_confidence(meta: Any) -> None:
    del meta.signature_def["serving_default"].outputs["confidence"]


def another_output(meta: Any) -> None:
    meta.signature_def["probabilities"].outputs["logits"].dtype = 4


def shares_of_floats(meta: Any) -> None:
    meta.signature_def["probabilities"].outputs["probabilities"].dtype = 1


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (no_probabilities, "no signature probabilities"),
        (another_input, "the inputs of serving_default are msi_10m, msi_20m, time"),
        (no_coarse_bands, "the inputs of probabilities are msi_10m"),
        (reflectance, "msi_10m of serving_default is float [-1, -1, -1, 4]"),
        (three_bands, "msi_10m of serving_default is uint16 [-1, -1, -1, 3]"),
        (fixed_sides, "msi_20m of serving_default is uint16 [-1, 128, -1, 6]"),
        (no_rank, "msi_20m of serving_default is uint16 []"),
        (no_confidence, "the outputs of serving_default are class"),
        (another_output, "the outputs of probabilities are class, confidence, logits, probabilities"),
        (shares_of_floats, "probabilities of probabilities is float"),
    ],
)
def test_signatures_of_something_else_are_refused(change: Change, fault: str) -> None:
    meta = described()
    assert refusal(meta) == ""
    change(meta)
    assert refusal(meta) == fault


def test_one_function_may_be_both_signatures() -> None:
    meta = described()
    meta.signature_def["serving_default"].outputs["probabilities"].dtype = 4
    assert refusal(meta) == ""


def sound() -> dict[str, np.ndarray]:
    """Answers of a model: the second class where something was observed."""
    share = np.zeros((*SEEN.shape, CLASSES), np.uint8)
    share[SEEN] = (60, 135, 60)
    return {
        "class": np.where(SEEN, 2, 0).astype(np.uint8),
        "confidence": np.where(SEEN, 53, 0).astype(np.uint8),
        "probabilities": share,
    }


def fault_of(**changes: np.ndarray) -> str:
    from services.trainer.imports.signature import UnfitModel, check_answers

    try:
        check_answers(sound() | changes, SEEN, CLASSES, "probabilities")
    except UnfitModel as error:
        return error.fault if error.remedy else "refused without a remedy"
    return ""


def changed(name: str, where: tuple[Any, ...], value: int) -> dict[str, np.ndarray]:
    values = sound()[name]
    values[where] = value
    return {name: values}


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({}, ""),
        ({"class": np.ones((1, 4, 4), np.int64)}, "class of probabilities is int64 (1, 4, 4)"),
        ({"confidence": np.ones((1, 2, 2), np.uint8)}, "confidence of probabilities is uint8 (1, 2, 2)"),
        ({"probabilities": np.ones((1, 4, 4, 2), np.uint8)}, "probabilities of probabilities is uint8 (1, 4, 4, 2)"),
        (changed("class", (0, 0, 0), 1), "probabilities answers where nothing was observed"),
        (changed("confidence", (0, 0, 0), 1), "probabilities answers where nothing was observed"),
        (changed("class", (0, 1, 1), 0), "class of probabilities holds [0, 2] where the ground was observed"),
        (changed("class", (0, 1, 1), 4), "class of probabilities holds [2, 4] where the ground was observed"),
        (changed("class", (0, 1, 1), 3), "probabilities of probabilities name another class than `class` does"),
        (changed("confidence", (0, 1, 1), 101), "confidence of probabilities reaches 101"),
        (changed("probabilities", (0, 0, 0, 1), 9), "probabilities of probabilities name another class than `class`"),
        (changed("probabilities", (0, 1, 1, 0), 135), ""),
        (changed("probabilities", (0, 1, 1, 0), 136), "probabilities of probabilities name another class than `class`"),
    ],
)
def test_answers_of_which_no_map_can_be_made_are_refused(changes: dict[str, np.ndarray], fault: str) -> None:
    said = fault_of(**changes)
    assert said.startswith(fault)
    assert bool(said) is bool(fault)
