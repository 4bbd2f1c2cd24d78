"""Check that a model reads what a map gives and answers what a map needs: by its signatures, then by a probe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorflow.core.framework import types_pb2

from services.trainer.export import DEFAULT, PROBABILITIES
from shared.items.model_card import INPUTS

ANSWERS: Final[Mapping[str, frozenset[str]]] = {
    DEFAULT: frozenset({"class", "confidence"}),
    PROBABILITIES: frozenset({"class", "confidence", "probabilities"}),
}
"""Signature -> what it answers; maps are made of `probabilities`, comparisons of `serving_default`, which may answer
probabilities, too: one function can be both."""

PROBE_PX: Final = 64
"""Side of the windows that a model is tried on; a multiple of 16, as those of maps are."""

MOST_PERCENT: Final = 100

Array = npt.NDArray[Any]
Answers = Mapping[str, Array]


class UnfitModel(ValueError):
    """Raised when a model does not read what a map gives, or does not answer what a map needs.

    Args:
        fault: what is otherwise.
        remedy: what to do.
    """

    def __init__(self, fault: str, remedy: str) -> None:
        super().__init__(f"{fault}; {remedy}")
        self.fault, self.remedy = fault, remedy


def check_signatures(meta: Any) -> None:
    """Check names, types and free sides of a graph's signatures; nothing is loaded for it.

    Args:
        meta: a `tensorflow.MetaGraphDef`.

    Raises:
        UnfitModel: they are not those of `services.trainer.export.export`.
    """
    for name, answers in ANSWERS.items():
        if name not in meta.signature_def:
            raise UnfitModel(f"no signature {name}", f"add an endpoint that answers {', '.join(sorted(answers))}")
        signature = meta.signature_def[name]
        _check_names(f"the inputs of {name}", signature.inputs, frozenset(INPUTS))
        _check_names(f"the outputs of {name}", signature.outputs, answers, ANSWERS[PROBABILITIES])
        for key, bands in INPUTS.items():
            given = signature.inputs[key]
            shape = [dim.size for dim in given.tensor_shape.dim]
            if given.dtype != types_pb2.DT_UINT16 or shape != [-1, -1, -1, len(bands)]:
                raise UnfitModel(
                    f"{key} of {name} is {types_pb2.DataType.Name(given.dtype)[3:].lower()} {shape}",
                    f"make it uint16 (None, None, None, {len(bands)}): batch, height and width are free",
                )
        for key, given in signature.outputs.items():
            if given.dtype != types_pb2.DT_UINT8:
                raise UnfitModel(
                    f"{key} of {name} is {types_pb2.DataType.Name(given.dtype)[3:].lower()}", "make it uint8"
                )


def _check_names(
    what: str, found: Mapping[str, Any], wanted: frozenset[str], known: frozenset[str] = frozenset()
) -> None:
    if not wanted <= found.keys() <= wanted | known:
        raise UnfitModel(f"{what} are {', '.join(sorted(found))[:200]}", f"name them {', '.join(sorted(wanted))}")


def probe(model: Any, classes: int) -> None:
    """Ask a loaded model for windows with a hole, and for one of which nothing was observed.

    Args:
        model: as `tf.saved_model.load` returns it.
        classes: number of classes of the area.

    Raises:
        UnfitModel: it does not run, or answers what no map can be made of.
    """
    rng = np.random.default_rng(20180604)
    half = PROBE_PX // 2
    fine = rng.integers(1000, 6000, (3, PROBE_PX, PROBE_PX, len(INPUTS["msi_10m"])), dtype=np.uint16)
    coarse = rng.integers(1000, 6000, (3, half, half, len(INPUTS["msi_20m"])), dtype=np.uint16)
    fine[1, : half // 2], coarse[1, : half // 4] = 0, 0
    fine[2], coarse[2] = 0, 0
    for name in ANSWERS:
        check_answers(answer(model, name, fine, coarse), seen_of(fine, coarse), classes, name)


def answer(model: Any, signature: str, fine: Array, coarse: Array) -> dict[str, Array]:
    """Return what a loaded model answers.

    Args:
        model: as `tf.saved_model.load` returns it.
        signature: its name.
        fine: uint16 (n, y, x, 4), stored values.
        coarse: uint16 (n, y/2, x/2, 6).

    Raises:
        UnfitModel: it does not run on them.
    """
    try:
        found = model.signatures[signature](msi_10m=tf.constant(fine), msi_20m=tf.constant(coarse))
    except tf.errors.OpError as error:
        said = " ".join(str(error.message).split())[:200]
        raise UnfitModel(
            f"{signature} fails on windows of {fine.shape[1]} px: {said}", "try it on such windows, then export again"
        ) from error
    return {name: value.numpy() for name, value in found.items()}


def seen_of(fine: Array, coarse: Array) -> Array:
    """Return where all bands were observed: bool (n, y, x), from (n, y, x, 4) and (n, y/2, x/2, 6)."""
    seen: Array = np.repeat(np.repeat(np.all(coarse > 0, axis=-1), 2, axis=1), 2, axis=2)
    seen &= np.all(fine > 0, axis=-1)
    return seen


def check_answers(answers: Answers, seen: Array, classes: int, signature: str) -> None:
    """Check what a model answers.

    Args:
        answers: name -> uint8 (n, y, x), `probabilities` uint8 (n, y, x, class).
        seen: bool (n, y, x): observed in all bands.
        classes: number of classes of the area.
        signature: who answered.

    Raises:
        UnfitModel: no map can be made of it, or it leaves out pixels that were observed: a score would not count them.
    """
    for name, values in answers.items():
        shape = (*seen.shape, classes) if name == "probabilities" else seen.shape
        if values.dtype != np.uint8 or values.shape != shape:
            raise UnfitModel(
                f"{name} of {signature} is {values.dtype} {values.shape}", f"answer uint8 {shape} for these windows"
            )
    value, confidence = answers["class"], answers["confidence"]
    if value[~seen].any() or confidence[~seen].any():
        raise UnfitModel(f"{signature} answers where nothing was observed", "answer 0 where any band is 0")
    if not value[seen].all() or value.max(initial=0) > classes:
        raise UnfitModel(
            f"class of {signature} holds {np.unique(value[seen]).tolist()[:20]} where the ground was observed",
            f"answer 1 to {classes}, the classes of the area, there",
        )
    if confidence.max(initial=0) > MOST_PERCENT:
        raise UnfitModel(f"confidence of {signature} reaches {confidence.max()}", "answer percent")
    if "probabilities" in answers:
        _check_shares(answers["probabilities"], value, seen, signature)


def _check_shares(shares: Array, value: Array, seen: Array, signature: str) -> None:
    """Check that the class is one of the largest share: maps are drawn from shares, scores are of classes."""
    chosen = np.take_along_axis(shares, np.maximum(value, 1)[..., None].astype(np.intp) - 1, axis=-1)[..., 0]
    if shares[~seen].any() or (chosen < shares.max(axis=-1)).any():
        raise UnfitModel(
            f"probabilities of {signature} name another class than `class` does",
            "answer the shares that the class was chosen by, 255 = 1, and 0 where any band is 0",
        )
