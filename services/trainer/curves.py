"""The curves of a training as files: JSON, and the event files that TensorBoard reads; the same bytes each time."""

from __future__ import annotations

import json
import math
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

VALIDATION: Final = ", validation"
"""What the name of a network's loss of validation ends with, among the losses of a training."""

Curves = Mapping[str, Sequence[float]]

_EVENTS: Final = "events.out.tfevents.0.landstream"
"""TensorFlow's own writer names time, host and process there, and gives each event the time of day."""


def write_curves(losses: Curves, rates: Curves, path: Path) -> None:
    """Write a JSON file: network -> `loss`, `validation_loss` where there is one, `learning_rate`, each by epoch.

    Args:
        losses: mean loss of each epoch, by network, and of its validation.
        rates: learning rate at the end of each epoch, by network.
        path: made here; a loss that is no number is null.
    """
    networks = {}
    for name, rate in rates.items():
        found = {"loss": losses[name], "validation_loss": losses.get(f"{name}{VALIDATION}"), "learning_rate": rate}
        networks[name] = {
            curve: [value if math.isfinite(value) else None for value in values]
            for curve, values in found.items()
            if values is not None
        }
    path.write_text(json.dumps({"networks": networks}, indent=1, allow_nan=False), encoding="utf-8")


def write_events(losses: Curves, rates: Curves, path: Path) -> None:
    """Write a tar of TensorBoard's folders, `<network>/train` and `<network>/validation`, with Keras's tags.

    The time of an event is its epoch in seconds: a time of day would make other bytes of the same training.

    Args:
        losses: mean loss of each epoch, by network, and of its validation.
        rates: learning rate at the end of each epoch, by network.
        path: of the tar, made here.
    """
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for run, scalars in _runs(losses, rates):
            events = path.with_suffix(".events")
            _write_run(scalars, events)
            entry = tarfile.TarInfo(f"{run}/{_EVENTS}")
            entry.size, entry.mode = events.stat().st_size, 0o644
            with events.open("rb") as stream:
                archive.addfile(entry, stream)
            events.unlink()


def _runs(losses: Curves, rates: Curves) -> Iterator[tuple[str, dict[str, Sequence[float]]]]:
    for name, rate in rates.items():
        yield f"{name}/train", {"epoch_loss": losses[name], "epoch_learning_rate": rate}
        if judged := losses.get(f"{name}{VALIDATION}"):
            yield f"{name}/validation", {"epoch_loss": judged}


def _write_run(scalars: Mapping[str, Sequence[float]], path: Path) -> None:
    import tensorflow as tf

    summary = tf.compat.v1.Summary
    plugin = tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars")  # which of TensorBoard's tabs shows it
    scalar = tf.compat.v1.SummaryMetadata(plugin_data=plugin)
    with tf.io.TFRecordWriter(str(path)) as file:
        file.write(tf.compat.v1.Event(wall_time=0, file_version="brain.Event:2").SerializeToString(deterministic=True))
        for epoch in range(max(map(len, scalars.values()))):
            found = [
                summary.Value(tag=tag, metadata=scalar, tensor=tf.make_tensor_proto(values[epoch], tf.float32))
                for tag, values in scalars.items()
                if epoch < len(values)
            ]
            event = tf.compat.v1.Event(wall_time=epoch, step=epoch, summary=summary(value=found))
            file.write(event.SerializeToString(deterministic=True))
