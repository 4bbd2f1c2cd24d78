"""Export a model as a SavedModel, pack it, and tell its identity."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from services.trainer.networks.inputs import shapes_of
from shared.items.model_inputs import ModelInputs

DEFAULT = "serving_default"
PROBABILITIES = "probabilities"


def export(model: keras.Model, inputs: ModelInputs, folder: Path) -> None:
    """Write a SavedModel.

    Signature `serving_default`: the inputs (by default msi_10m uint16 (batch, y, x, 4), msi_20m uint16
    (batch, y/2, x/2, 6)), in the cube's encoding -> `class` uint8 (batch, y, x): 1..K, 0 where not observed;
    `confidence` uint8 (batch, y, x): percent, 0 where not observed. Signature `probabilities` adds `probabilities`
    uint8 (batch, y, x, K): 255 = 1. The sides are free multiples of 16; maps use 256. With a history, a pixel counts as
    observed where any of the weeks saw it.

    Args:
        model: inputs -> probabilities float32 (batch, y, x, K).
        inputs: what it reads.
        folder: made here.
    """

    def answer(*given: tf.Tensor) -> dict[str, tf.Tensor]:
        seen = _seen(dict(zip(inputs.names, given, strict=True)))
        if inputs.weeks:
            seen = tf.reduce_any(seen, axis=1)
        share = model(list(given), training=False) * tf.cast(seen, tf.float32)[..., None]
        value = tf.cast(tf.argmax(share, axis=-1), tf.uint8) + 1
        return {
            "class": value * tf.cast(seen, tf.uint8),
            "confidence": tf.cast(tf.round(tf.reduce_max(share, axis=-1) * 100), tf.uint8),
            "probabilities": tf.cast(tf.round(share * 255), tf.uint8),
        }

    def decide(*given: tf.Tensor) -> dict[str, tf.Tensor]:
        answers = answer(*given)
        return {name: answers[name] for name in ("class", "confidence")}

    signature = [tf.TensorSpec((None, *shape), dtype, name=name) for name, (shape, dtype) in shapes_of(inputs).items()]
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(DEFAULT, decide, input_signature=signature)
    archive.add_endpoint(PROBABILITIES, answer, input_signature=signature)
    archive.write_out(str(folder), verbose=False)


def _seen(given: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """Return where all bands were observed: the cube's law holds again here, a client may send anything."""
    seen = tf.reduce_all(given["msi_10m"] > 0, axis=-1)
    if "msi_20m" in given:
        coarse = tf.reduce_all(given["msi_20m"] > 0, axis=-1)
        seen &= tf.repeat(tf.repeat(coarse, 2, axis=-2), 2, axis=-1)
    return seen


def weights_sha256(model: keras.Model) -> str:
    """sha256 over path, dtype, shape and bytes of the weights in order: no file of a SavedModel is byte-stable."""
    digest = hashlib.sha256()
    for weight in model.weights:
        value = np.asarray(weight)
        digest.update(f"{weight.path}|{value.dtype}|{value.shape}|".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()


def probe_sha256(inputs: ModelInputs, folder: Path) -> str:
    """sha256 of a reloaded SavedModel's answers to a fixed input: two 64 px windows, one with a hole."""
    signature = tf.saved_model.load(str(folder)).signatures[PROBABILITIES]
    answers: Mapping[str, Any] = signature(**{name: tf.constant(v) for name, v in _probe(inputs).items()})
    digest = hashlib.sha256()
    for name in sorted(answers):
        value = answers[name].numpy()
        digest.update(f"{name}|{value.dtype}|{value.shape}|".encode() + value.tobytes())
    return digest.hexdigest()


def _probe(inputs: ModelInputs) -> dict[str, Any]:
    rng = np.random.default_rng(20180604)
    values: dict[str, Any] = {}
    for name, (shape, dtype) in shapes_of(inputs).items():
        side = 64 if name == "msi_10m" else 32
        sides = [side if length is None else length for length in shape]
        if name == "week":
            values[name] = rng.integers(1, 367, (2, *sides), dtype=np.uint16)
        elif name == "olci_300m":
            values[name] = rng.uniform(10, 100, (2, *sides)).astype(dtype)
        else:
            values[name] = rng.integers(1000, 6000, (2, *sides), dtype=np.uint16)
            values[name][1, ..., : side // 4, : side // 4, :] = 0
    return values
