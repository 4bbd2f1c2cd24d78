"""From stored values to what networks see: standardised bands, weeks pooled into one, and the landscape around."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from shared.items.model_inputs import OLCI_PX, ModelInputs
from shared.sensors import CUBE_BANDS

BANDS_10M, BANDS_20M = CUBE_BANDS["10m"], CUBE_BANDS["20m"]
BANDS = (*BANDS_10M, *BANDS_20M)
Shape = tuple[int | None, ...]
Array = npt.NDArray[Any]
CLIP = 6.0
"""Standardised values beyond this are cut: haze and glint must not outweigh all others."""


@dataclass(frozen=True)
class Scaling:
    """Mean and deviation of stored values over training pixels, by input: two float64 (band,) each."""

    mean: dict[str, Array]
    deviation: dict[str, Array]


def cube_inputs(inputs: ModelInputs) -> list[keras.KerasTensor]:
    """Return the inputs of a network, in order.

    msi_10m uint16 (batch, y, x, 4), msi_20m uint16 (batch, y/2, x/2, 6), msi_60m uint16 (batch, y/2, x/2, 2 or 3),
    olci_300m float32 (batch, 9, 9, 21), week uint16 (batch,), as far as they are asked for; with a history each has an
    axis of weeks behind that of the batch.
    """
    return [keras.Input(shape, dtype=dtype, name=name) for name, (shape, dtype) in shapes_of(inputs).items()]


def shapes_of(inputs: ModelInputs) -> dict[str, tuple[Shape, str]]:
    """Return shape, without the batch, and dtype of each input; the sides of a window are free."""
    found: dict[str, tuple[Shape, str]] = {}
    for name, bands in inputs.bands.items():
        side = OLCI_PX if name == "olci_300m" else None
        area = (side, side, len(bands)) if bands else ()
        found[name] = ((*inputs.weeks, *area), "float32" if name == "olci_300m" else "uint16")
    return found


class _Standardising(keras.layers.Layer):  # type: ignore[misc]
    """Keeps mean and deviation, and standardises by them."""

    def __init__(self, mean: Array, deviation: Array, **options: Any) -> None:
        # Stored values need float32, whatever the layers behind compute in.
        super().__init__(**{"dtype": "float32", **options})
        self._initial = np.stack([mean, deviation]).astype(np.float32)
        self.scaling = self.add_weight(
            shape=self._initial.shape,
            initializer=lambda shape, dtype=None: tf.constant(self._initial, dtype),
            trainable=False,
            name="scaling",
        )

    def scaled(self, stored: tf.Tensor) -> tf.Tensor:
        """Return values in units of their deviation, clipped."""
        return tf.clip_by_value((stored - self.scaling[0]) / self.scaling[1], -CLIP, CLIP)


@keras.saving.register_keras_serializable(package="landstream")
class Normalise(_Standardising):
    """Stored values to standardised bands with a presence channel.

    In: msi_10m uint16 (..., y, x, 4) and, where there are any, others on the 20 m lattice uint16 (..., y/2, x/2, band).
    Out: float32 (..., y, x, bands + 1): bands in units of their deviation over the training pixels, clipped to +-6, 0
    where not observed, then presence 0 or 1.

    Args:
        mean: float (band,), of stored values.
        deviation: float (band,).
        apart: so many of the last bands may be unknown where others are observed, as those of 60 m at a cloud's edge.
        options: of the layer.
    """

    def __init__(self, mean: Array, deviation: Array, apart: int = 0, **options: Any) -> None:
        super().__init__(mean, deviation, **options)
        self._apart = apart

    def call(self, msi_10m: tf.Tensor, *coarser: tf.Tensor) -> tf.Tensor:
        """See the class."""
        parts = [tf.cast(msi_10m, tf.float32)]
        for stored in coarser:
            coarse = tf.cast(stored, tf.float32)  # first: TensorFlow cannot repeat uint16 on a CPU
            parts.append(tf.repeat(tf.repeat(coarse, 2, axis=-3), 2, axis=-2))  # nearest, exact on a shared lattice
        stored = tf.concat(parts, axis=-1)
        together = stored[..., : -self._apart] if self._apart else stored
        present = tf.cast(tf.reduce_min(together, axis=-1, keepdims=True) > 0, tf.float32)
        scaled = self.scaled(stored)
        if self._apart:
            scaled *= tf.cast(stored > 0, tf.float32)
        return tf.concat([scaled * present, present], axis=-1)

    def compute_output_shape(self, msi_10m_shape: Shape, *coarser: Shape) -> Shape:
        """Shape of the output."""
        return (*msi_10m_shape[:-1], self._initial.shape[1] + 1)


@keras.saving.register_keras_serializable(package="landstream")
class AddDates(keras.layers.Layer):  # type: ignore[misc]
    """Put the time of the year before the presence channel, as two more bands: sine and cosine of the day.

    In: bands float32 (..., y, x, band + 1) as of `Normalise`, day of the year uint16 (...). Out: float32
    (..., y, x, band + 3), 0 where not observed.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"dtype": "float32", **options})

    def call(self, bands: tf.Tensor, day: tf.Tensor) -> tf.Tensor:
        """See the class."""
        angle = tf.cast(day, tf.float32) * (2 * math.pi / 365.25)
        wave = tf.stack([tf.sin(angle), tf.cos(angle)], axis=-1)[..., None, None, :]
        return tf.concat([bands[..., :-1], wave * bands[..., -1:], bands[..., -1:]], axis=-1)

    def compute_output_shape(self, bands_shape: Shape, day_shape: Shape) -> Shape:
        """Shape of the output."""
        return (*bands_shape[:-1], (bands_shape[-1] or 0) + 2)


@keras.saving.register_keras_serializable(package="landstream")
class PoolWeeks(keras.layers.Layer):  # type: ignore[misc]
    """Weeks to one picture, of what each pixel was observed in: its newest values, their mean and their deviation.

    In: float32 (batch, week, y, x, band + 1), oldest first, presence last. Out: float32 (batch, y, x, 3 band + 1),
    0 where no week observed the pixel, presence last.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"dtype": "float32", **options})

    def call(self, weeks: tf.Tensor) -> tf.Tensor:
        """See the class."""
        values, seen = weeks[..., :-1], weeks[..., -1:]
        unseen_later = tf.math.cumprod(1.0 - seen, axis=1, exclusive=True, reverse=True)
        newest = tf.reduce_sum(values * (seen * unseen_later), axis=1)
        count = tf.maximum(tf.reduce_sum(seen, axis=1), 1.0)
        mean = tf.reduce_sum(values * seen, axis=1) / count
        apart = (values - mean[:, None]) * seen
        deviation = tf.sqrt(tf.reduce_sum(apart * apart, axis=1) / count)
        return tf.concat([newest, mean, deviation, tf.reduce_max(seen, axis=1)], axis=-1)

    def compute_output_shape(self, weeks_shape: Shape) -> Shape:
        """Shape of the output."""
        batch, _, y, x, channels = weeks_shape
        return (batch, y, x, 3 * ((channels or 1) - 1) + 1)


@keras.saving.register_keras_serializable(package="landstream")
class NormaliseOlci(_Standardising):
    """Radiances to standardised bands with a presence channel; NaN = not observed.

    In: float32 (..., 9, 9, 21). Out: float32 (..., 9, 9, 22).
    """

    def call(self, radiance: tf.Tensor) -> tf.Tensor:
        """See the class."""
        seen = tf.reduce_all(tf.math.is_finite(radiance), axis=-1, keepdims=True)
        return tf.concat([tf.where(seen, self.scaled(radiance), 0.0), tf.cast(seen, tf.float32)], axis=-1)

    def compute_output_shape(self, radiance_shape: Shape) -> Shape:
        """Shape of the output."""
        return (*radiance_shape[:-1], (radiance_shape[-1] or 0) + 1)


@keras.saving.register_keras_serializable(package="landstream")
class Spread(keras.layers.Layer):  # type: ignore[misc]
    """Put what is known of a whole window beside each of its pixels.

    In: float (batch, y, x, channel), float (batch, more). Out: float (batch, y, x, channel + more).
    """

    def call(self, pixels: tf.Tensor, window: tf.Tensor) -> tf.Tensor:
        """See the class."""
        shape = tf.concat([tf.shape(pixels)[:3], tf.shape(window)[-1:]], axis=0)
        return tf.concat([pixels, tf.broadcast_to(tf.cast(window, pixels.dtype)[:, None, None, :], shape)], axis=-1)

    def compute_output_shape(self, pixels_shape: Shape, window_shape: Shape) -> Shape:
        """Shape of the output."""
        return (*pixels_shape[:-1], (pixels_shape[-1] or 0) + (window_shape[-1] or 0))


@keras.saving.register_keras_serializable(package="landstream")
class Landscape(keras.layers.Layer):  # type: ignore[misc]
    """Sum up what OLCI saw around a window: mean and deviation of each band over what it observed.

    In: float32 (batch, 9, 9, bands + 1), presence last. Out: float32 (batch, 2 bands + 1), last the share of observed
    pixels.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"dtype": "float32", **options})

    def call(self, around: tf.Tensor) -> tf.Tensor:
        """See the class."""
        values, seen = around[..., :-1], around[..., -1:]
        count = tf.maximum(tf.reduce_sum(seen, axis=(1, 2), keepdims=True), 1.0)
        mean = tf.reduce_sum(values * seen, axis=(1, 2), keepdims=True) / count
        apart = (values - mean) * seen
        deviation = tf.sqrt(tf.reduce_sum(apart * apart, axis=(1, 2), keepdims=True) / count)
        found = tf.concat([mean, deviation, tf.reduce_mean(seen, axis=(1, 2), keepdims=True)], axis=-1)
        return found[:, 0, 0]

    def compute_output_shape(self, around_shape: Shape) -> Shape:
        """Shape of the output."""
        return (around_shape[0], 2 * ((around_shape[-1] or 1) - 1) + 1)


def standardise(tensors: Sequence[keras.KerasTensor], inputs: ModelInputs, scaling: Scaling) -> keras.KerasTensor:
    """Return what networks see of each pixel: float32 (batch, y, x, channel), presence last.

    The channels are the bands of MSI, then sine and cosine of the day of the year where `week` is an input; with a
    history the newest of these, then their means, then their deviations.
    """
    given = dict(zip(inputs.names, tensors, strict=True))
    msi = [name for name in inputs.names if name.startswith("msi_")]
    mean, deviation = (np.concatenate([part[name] for name in msi]) for part in (scaling.mean, scaling.deviation))
    bands = Normalise(mean, deviation, len(inputs.bands.get("msi_60m", ())))(*(given[name] for name in msi))
    if "week" in given:
        bands = AddDates()(bands, given["week"])
    return PoolWeeks()(bands) if inputs.history_weeks else bands


def around(tensors: Sequence[keras.KerasTensor], inputs: ModelInputs, scaling: Scaling) -> keras.KerasTensor | None:
    """Return what networks see around a window: float32 (batch, 9, 9, channel), presence last; None without OLCI."""
    if "olci_300m" not in inputs.bands:
        return None
    given = dict(zip(inputs.names, tensors, strict=True))
    bands = NormaliseOlci(scaling.mean["olci_300m"], scaling.deviation["olci_300m"])(given["olci_300m"])
    return PoolWeeks()(bands) if inputs.history_weeks else bands


def newest_bands(inputs: ModelInputs) -> int:
    """Return how many of the channels of `standardise` are bands of MSI in their newest values; they come first."""
    return sum(len(bands) for name, bands in inputs.bands.items() if name.startswith("msi_"))
