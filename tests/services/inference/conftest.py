"""A SavedModel whose answer is known, and the embedded server over it: one for all, TensorFlow loads slowly."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[3]
CLASSES = 5


def rule(msi_10m: np.ndarray) -> np.ndarray:
    """The class that the test's model gives: 1..5 by the stored value of B08, 0 where not observed."""
    values = np.clip(msi_10m[..., 3].astype(int) // 1000, 1, CLASSES)
    return (values * (msi_10m > 0).all(axis=-1)).astype(np.uint8)


def save_model(folder: Path, shift: int = 0) -> None:
    """Write the rule as a SavedModel with the trainer's signatures; `shift` turns its classes."""
    import tensorflow as tf

    specs = [
        tf.TensorSpec((None, None, None, 4), tf.uint16, name="msi_10m"),
        tf.TensorSpec((None, None, None, 6), tf.uint16, name="msi_20m"),
    ]

    def answer(msi_10m: Any, msi_20m: Any) -> dict[str, Any]:
        seen = tf.cast(tf.reduce_all(msi_10m > 0, axis=-1), tf.int32)
        value = tf.clip_by_value(tf.cast(msi_10m[..., 3], tf.int32) // 1000, 1, CLASSES)
        value = ((value - 1 + shift) % CLASSES + 1) * seen
        share = tf.cast(tf.one_hot(value - 1, CLASSES) * 204, tf.uint8)  # 80 percent; nothing where the value is 0
        return {
            "class": tf.cast(value, tf.uint8),
            "confidence": tf.cast(80 * seen, tf.uint8) + tf.cast(msi_20m[:, :1, :1, 0] * 0, tf.uint8),
            "probabilities": share,
        }

    def decide(msi_10m: Any, msi_20m: Any) -> dict[str, Any]:
        answers = answer(msi_10m, msi_20m)
        return {name: answers[name] for name in ("class", "confidence")}

    module = tf.Module()
    tf.saved_model.save(
        module,
        str(folder),
        {
            "serving_default": tf.function(decide, input_signature=specs),
            "probabilities": tf.function(answer, input_signature=specs),
        },
    )


@pytest.fixture(scope="session")
def model_tar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rule, packed as the trainer packs."""
    folder = tmp_path_factory.mktemp("saved")
    save_model(folder / "model")
    path = folder / "model.tar"
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for file in sorted(p for p in (folder / "model").rglob("*") if p.is_file()):
            archive.add(file, file.relative_to(folder / "model").as_posix())
    return path


@dataclass(frozen=True)
class Served:
    """A running server."""

    address: str
    folder: Path
    process: subprocess.Popen[str]


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory, model_tar: Path) -> Iterator[Served]:
    """The server process over `rule/3`, `rule/12` and folders that are no complete versions."""
    from services.inference.launch import unpack

    folder = tmp_path_factory.mktemp("models")
    process = subprocess.Popen(
        [sys.executable, "-m", "services.inference.server", "--folder", str(folder), "--parent", str(os.getpid())],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    unpack(model_tar, folder / "rule", 3)
    save_model(folder / "rule" / ".incoming-x", shift=1)
    (folder / "rule" / ".incoming-x").rename(folder / "rule" / "12")
    (folder / "rule" / "99").mkdir()
    (folder / "rule" / "latest").mkdir()
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("listening on 127.0.0.1:"), line
    yield Served(line.removeprefix("listening on ").strip(), folder, process)
    process.terminate()
    assert process.wait(timeout=20) == 0
    process.stdout.close()
