"""Train networks: many small updates on patches that are drawn evenly over rare and common classes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from services.trainer.networks.committee import build_committee
from services.trainer.networks.layers import Body, build
from services.trainer.networks.multiscale import build_multiscale, build_perceptron, build_texture
from services.trainer.networks.resnet import resnet
from services.trainer.networks.segnet import segnet
from services.trainer.networks.unet import unet
from services.trainer.windows import Windows, sample_pixels, spectra
from shared.area.training import TrainingSettings

Array = npt.NDArray[Any]

RARITY = 0.5
"""A class of n pixels is drawn with weight n ** RARITY: 1 = as found, 0 = all classes alike."""

PERCEPTRON_PIXELS = 1024
"""Pixels in one update of the perceptron."""

PERCEPTRON_UPDATES = 4
"""Updates of the perceptron for one of another network."""

SCALING_PIXELS = 500_000
"""Pixels that mean and deviation are taken over."""

BODIES: Mapping[str, Body] = {"unet": unet, "segnet": segnet, "resnet": resnet}
"""Networks that read patches."""

FEATURE_PIXELS = 120_000
"""Pixels whose features are kept in memory for the perceptron."""


@dataclass(frozen=True)
class Fitted:
    """A trained model.

    Attributes:
        model: msi_10m, msi_20m -> probabilities float32 (batch, y, x, classes).
        losses: mean loss of each epoch, by network.
    """

    model: keras.Model
    losses: dict[str, list[float]]


class Draw:
    """Draws training pixels: first a class, then one of its pixels.

    Args:
        targets: uint8 (n, y, x): 0 = no loss.
        rng: the only source of chance.
        most: pixels kept for one class.
    """

    def __init__(self, targets: Array, rng: np.random.Generator, most: int = 200_000) -> None:
        self._rng = rng
        self._shape = targets.shape
        flat = targets.ravel()
        self._pixels: list[Array] = []
        weights = []
        for value in np.unique(flat[flat > 0]):
            pixels = np.flatnonzero(flat == value)
            weights.append(len(pixels) ** RARITY)
            if len(pixels) > most:
                pixels = np.sort(rng.choice(pixels, most, replace=False))
            self._pixels.append(pixels)
        self._share = np.array(weights) / sum(weights)

    def __call__(self, count: int) -> tuple[Array, Array, Array]:
        """(window, y, x) of `count` pixels."""
        classes = self._rng.choice(len(self._pixels), count, p=self._share)
        place = self._rng.random(count)
        flat = np.array([self._pixels[c][int(p * len(self._pixels[c]))] for c, p in zip(classes, place, strict=True)])
        window, y, x = np.unravel_index(flat, self._shape)
        return window, y, x


def scaling_of(windows: Windows, targets: Array) -> tuple[Array, Array]:
    """Mean and deviation of the stored values of the training pixels: two float64 (10,)."""
    values = spectra(windows, sample_pixels(targets, SCALING_PIXELS, np.random.default_rng(0))).astype(np.float64)
    return values.mean(axis=0), np.maximum(values.std(axis=0), 1.0)


def fit(
    windows: Windows,
    targets: Array,
    classes: int,
    settings: TrainingSettings,
    seed: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Fitted:
    """Train the networks that the settings name on the same pixels, one after the other.

    Args:
        windows: n windows.
        targets: uint8 (n, y, x): 0 = no loss; at least one pixel carries some.
        classes: number of classes of the scheme.
        settings: which networks, sizes and the learning rate.
        seed: of weights, draws and augmentation.
        progress: called with (updates done, updates in total).

    Returns:
        Their vote; the same arguments give the same bits on one kind of machine.
    """
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    mean, deviation = scaling_of(windows, targets)
    draw = Draw(targets, rng)
    updates = settings.epochs * settings.steps
    total = updates * len(settings.networks)
    members: list[keras.Model] = []
    losses: dict[str, list[float]] = {}
    for number, name in enumerate(settings.networks):

        def report(done: int, before: int = updates * number) -> None:
            progress(before + done, total)

        if name == "multiscale":
            member, losses[name] = _fit_multiscale(
                windows, targets, classes, settings, draw, rng, mean, deviation, report
            )
        else:
            member = build(name, BODIES[name], classes, settings.filters, mean, deviation)
            losses[name] = _fit_on_patches(member, windows, targets, settings, draw, rng, report)
        members.append(member)
    return Fitted(build_committee(members), losses)


def _fit_on_patches(
    model: keras.Model,
    windows: Windows,
    targets: Array,
    settings: TrainingSettings,
    draw: Draw,
    rng: np.random.Generator,
    progress: Callable[[int], None],
) -> list[float]:
    """Train a network that reads patches; the mean loss of each epoch."""

    def patches() -> tuple[tuple[Array, ...], Array]:
        return _patches(windows, targets, draw, rng, settings.batch, settings.patch_px)

    return _descend(model, patches, settings.epochs, settings.steps, settings.learning_rate, progress)


def _fit_multiscale(
    windows: Windows,
    targets: Array,
    classes: int,
    settings: TrainingSettings,
    draw: Draw,
    rng: np.random.Generator,
    mean: Array,
    deviation: Array,
    progress: Callable[[int], None],
) -> tuple[keras.Model, list[float]]:
    """Train the perceptron on features that are computed once; (the network with its features, losses)."""
    texture, perceptron = build_texture(mean, deviation), build_perceptron(classes)
    features, values = _feature_pixels(texture, windows, targets, draw)

    def pixels() -> tuple[tuple[Array, ...], Array]:
        chosen = rng.integers(0, len(values), PERCEPTRON_PIXELS)
        return (features[chosen][None, None],), values[chosen][None, None]

    steps = settings.steps * PERCEPTRON_UPDATES
    losses = _descend(
        perceptron,
        pixels,
        settings.epochs,
        steps,
        settings.learning_rate,
        lambda done: progress(done // PERCEPTRON_UPDATES),
    )
    return build_multiscale(texture, perceptron), losses


def _descend(
    model: keras.Model,
    batch: Callable[[], tuple[tuple[Array, ...], Array]],
    epochs: int,
    steps: int,
    rate: float,
    progress: Callable[[int], None],
) -> list[float]:
    """Minimise the cross-entropy of labelled pixels; the learning rate falls along a cosine.

    Returns:
        The mean loss of each epoch.
    """
    schedule = keras.optimizers.schedules.CosineDecay(rate, epochs * steps, alpha=0.01)
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=1e-4)
    optimizer.build(model.trainable_variables)

    @tf.function(autograph=False, reduce_retracing=True)  # type: ignore[untyped-decorator]
    def update(inputs: tuple[tf.Tensor, ...], target: tf.Tensor) -> tf.Tensor:
        weight = tf.cast(target > 0, tf.float32)
        index = tf.maximum(tf.cast(target, tf.int32) - 1, 0)
        with tf.GradientTape() as tape:
            logits = model(inputs[0] if len(inputs) == 1 else list(inputs), training=True)
            entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(index, logits)
            loss = tf.reduce_sum(entropy * weight) / tf.maximum(tf.reduce_sum(weight), 1.0)
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    losses = []
    for epoch in range(epochs):
        total = 0.0
        for _ in range(steps):
            inputs, target = batch()
            total += float(update(tuple(tf.constant(i) for i in inputs), tf.constant(target)))
        losses.append(round(total / steps, 6))
        progress((epoch + 1) * steps)
    return losses


def _patches(
    windows: Windows, targets: Array, draw: Draw, rng: np.random.Generator, batch: int, side: int
) -> tuple[tuple[Array, ...], Array]:
    """Square patches around drawn pixels, each turned and mirrored by chance.

    Returns:
        (msi_10m uint16 (batch, side, side, 4), msi_20m uint16 (batch, side/2, side/2, 6)), target uint8.
    """
    fine = np.empty((batch, side, side, 4), np.uint16)
    coarse = np.empty((batch, side // 2, side // 2, 6), np.uint16)
    target = np.empty((batch, side, side), np.uint8)
    limit = targets.shape[1] - side
    for i, (window, y, x) in enumerate(zip(*draw(batch), strict=True)):
        # An even origin keeps 10 and 20 m pixels aligned.
        top, left = (min(max(int(v) - int(rng.integers(0, side)), 0), limit) // 2 * 2 for v in (y, x))
        turns, mirrored = int(rng.integers(0, 4)), bool(rng.integers(0, 2))
        half = (top // 2, left // 2, side // 2)
        for out, values, (t, le, s) in (
            (fine, windows.msi_10m, (top, left, side)),
            (coarse, windows.msi_20m, half),
            (target, targets, (top, left, side)),
        ):
            patch = np.rot90(values[window, t : t + s, le : le + s], turns)
            out[i] = patch[:, ::-1] if mirrored else patch
    return (fine, coarse), target


def _feature_pixels(texture: keras.Model, windows: Windows, targets: Array, draw: Draw) -> tuple[Array, Array]:
    """Features and classes of drawn training pixels: float32 (m, FEATURES), uint8 (m,)."""
    window, y, x = draw(min(FEATURE_PIXELS, 4 * int(np.count_nonzero(targets))))
    order = np.argsort(window, kind="stable")
    window, y, x = window[order], y[order], x[order]
    compute = tf.function(lambda fine, coarse: texture([fine, coarse], training=False), autograph=False)
    features = []
    for i in np.unique(window):
        here = window == i
        answer = compute(tf.constant(windows.msi_10m[i : i + 1]), tf.constant(windows.msi_20m[i : i + 1])).numpy()
        features.append(answer[0, y[here], x[here]])
    return np.concatenate(features), targets[window, y, x]


def predict_windows(model: keras.Model, batches: Iterable[Windows], size: int) -> Iterator[tuple[Windows, Array]]:
    """Map windows, in batches of one fixed (padded) size.

    Args:
        model: one that gives logits or probabilities.
        batches: up to `size` windows each.
        size: windows in a batch.

    Yields:
        (windows, class uint8 (n, y, x): 1..K, 0 where not observed).
    """
    compute: Callable[..., tf.Tensor] | None = None
    for windows in batches:
        count = len(windows.places)
        inputs = [tf.constant(values) for values in windows.padded(size)]
        if compute is None:
            traced = tf.function(lambda *bands: tf.argmax(model(list(bands), training=False), axis=-1), autograph=False)
            compute = traced.get_concrete_function(*(tf.TensorSpec(i.shape, i.dtype) for i in inputs))
        seen = (windows.msi_10m > 0).all(axis=-1)
        yield windows, (compute(*inputs).numpy()[:count] + 1).astype(np.uint8) * seen
