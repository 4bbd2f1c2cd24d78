"""Export a model as a SavedModel, pack it, and tell its identity."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from shared.sensors import CUBE_BANDS

BANDS_10M, BANDS_20M = CUBE_BANDS["10m"], CUBE_BANDS["20m"]
DEFAULT = "serving_default"
PROBABILITIES = "probabilities"


def export(model: keras.Model, folder: Path) -> None:
    """Write a SavedModel.

    Signature `serving_default`: msi_10m uint16 (batch, y, x, 4), msi_20m uint16 (batch, y/2, x/2, 6), in the cube's
    encoding -> `class` uint8 (batch, y, x): 1..K, 0 where not observed; `confidence` uint8 (batch, y, x): percent, 0
    where not observed. Signature `probabilities` adds `probabilities` uint8 (batch, y, x, K): 255 = 1. The sides are
    free multiples of 16; maps use 256.

    Args:
        model: msi_10m, msi_20m -> probabilities float32 (batch, y, x, K).
        folder: made here.
    """

    def answer(msi_10m: tf.Tensor, msi_20m: tf.Tensor) -> dict[str, tf.Tensor]:
        # The cube's law, observed in all bands or in none, holds again here: a client may send anything.
        seen = tf.reduce_all(msi_10m > 0, axis=-1) & tf.repeat(
            tf.repeat(tf.reduce_all(msi_20m > 0, axis=-1), 2, axis=1), 2, axis=2
        )
        share = model([msi_10m, msi_20m], training=False) * tf.cast(seen, tf.float32)[..., None]
        value = tf.cast(tf.argmax(share, axis=-1), tf.uint8) + 1
        return {
            "class": value * tf.cast(seen, tf.uint8),
            "confidence": tf.cast(tf.round(tf.reduce_max(share, axis=-1) * 100), tf.uint8),
            "probabilities": tf.cast(tf.round(share * 255), tf.uint8),
        }

    def decide(msi_10m: tf.Tensor, msi_20m: tf.Tensor) -> dict[str, tf.Tensor]:
        answers = answer(msi_10m, msi_20m)
        return {name: answers[name] for name in ("class", "confidence")}

    inputs = [
        tf.TensorSpec((None, None, None, len(BANDS_10M)), tf.uint16, name="msi_10m"),
        tf.TensorSpec((None, None, None, len(BANDS_20M)), tf.uint16, name="msi_20m"),
    ]
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(DEFAULT, decide, input_signature=inputs)
    archive.add_endpoint(PROBABILITIES, answer, input_signature=inputs)
    archive.write_out(str(folder), verbose=False)


def weights_sha256(model: keras.Model) -> str:
    """sha256 over path, dtype, shape and bytes of the weights in order: no file of a SavedModel is byte-stable."""
    digest = hashlib.sha256()
    for weight in model.weights:
        value = np.asarray(weight)
        digest.update(f"{weight.path}|{value.dtype}|{value.shape}|".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()


def probe_sha256(folder: Path) -> str:
    """sha256 of a reloaded SavedModel's answers to a fixed input: two 64 px windows, one with a hole."""
    rng = np.random.default_rng(20180604)
    fine = rng.integers(1000, 6000, (2, 64, 64, len(BANDS_10M)), dtype=np.uint16)
    coarse = rng.integers(1000, 6000, (2, 32, 32, len(BANDS_20M)), dtype=np.uint16)
    fine[1, :16, :16], coarse[1, :8, :8] = 0, 0
    signature = tf.saved_model.load(str(folder)).signatures[PROBABILITIES]
    answers: Mapping[str, Any] = signature(msi_10m=tf.constant(fine), msi_20m=tf.constant(coarse))
    digest = hashlib.sha256()
    for name in sorted(answers):
        value = answers[name].numpy()
        digest.update(f"{name}|{value.dtype}|{value.shape}|".encode() + value.tobytes())
    return digest.hexdigest()
