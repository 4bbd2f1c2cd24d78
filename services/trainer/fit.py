"""Train networks: many small updates on patches that are drawn evenly over rare and common classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from services.trainer.augment import Batch, Patches
from services.trainer.descend import Curves, descend, precision
from services.trainer.draw import Draw
from services.trainer.ground import Ground
from services.trainer.losses import balanced_weights
from services.trainer.networks.committee import build_committee
from services.trainer.networks.layers import BANDS_10M, Body, build
from services.trainer.networks.multiscale import build_multiscale, build_perceptron, build_texture
from services.trainer.networks.resnet import resnet
from services.trainer.networks.segnet import segnet
from services.trainer.networks.unet import unet, unet_for_xla
from services.trainer.vote import vote_weights
from services.trainer.windows import Windows, sample_pixels, spectra
from shared.area.training import TrainingSettings

Array = npt.NDArray[Any]

PERCEPTRON_PIXELS = 1024
"""Pixels in one update of the perceptron."""

PERCEPTRON_UPDATES = 4
"""Updates of the perceptron for one of another network."""

SCALING_PIXELS = 500_000
"""Pixels that mean and deviation are taken over."""

BODIES: Mapping[str, Body] = {"unet": unet, "segnet": segnet, "resnet": resnet}
"""Networks that read patches."""

BODIES_FOR_XLA: Mapping[str, Body] = {**BODIES, "unet": unet_for_xla}
"""The same networks, of operations that XLA can differentiate."""

FEATURE_PIXELS = 120_000
"""Pixels whose features are kept in memory for the perceptron."""

VALIDATION_WINDOWS, VALIDATION_PIXELS = 48, 40_000
"""What the loss of validation is taken over at most, by networks that read patches and by the perceptron."""


@dataclass(frozen=True)
class Fitted:
    """A trained model.

    Attributes:
        model: msi_10m, msi_20m -> probabilities float32 (batch, y, x, classes).
        losses: mean loss of each epoch, by network, and of its validation.
        weights: what each vote counts, by network; None = all count alike.
    """

    model: keras.Model
    losses: dict[str, list[float]]
    weights: dict[str, float] | None = None


def scaling_of(windows: Windows, targets: Array) -> tuple[Array, Array]:
    """Mean and deviation of the stored values of the training pixels: two float64 (10,)."""
    values = spectra(windows, sample_pixels(targets, SCALING_PIXELS, np.random.default_rng(0))).astype(np.float64)
    return values.mean(axis=0), np.maximum(values.std(axis=0), 1.0)


def fit(
    windows: Windows,
    ground: Ground,
    classes: int,
    settings: TrainingSettings,
    seed: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Fitted:
    """Train the networks that the settings name on the same pixels, one after the other.

    Args:
        windows: n windows.
        ground: their labels; at least one pixel carries loss, and one tells the loss of validation where any should.
        classes: number of classes of the scheme.
        settings: which networks, sizes and the recipe.
        seed: of weights, draws and augmentation.
        progress: called with (updates done, updates in total).

    Returns:
        Their vote; the same arguments give the same bits on one kind of machine.
    """
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    mean, deviation = scaling_of(windows, ground.targets)
    draw = Draw(ground.targets, rng)
    by_class = balanced_weights(ground.targets, classes) if settings.class_weights == "balanced" else None
    fitting = _Fitting(windows, ground, classes, settings, draw, rng, mean, deviation, by_class)
    updates = settings.epochs * settings.steps
    total = updates * len(settings.networks)
    members: list[keras.Model] = []
    losses: dict[str, list[float]] = {}
    with precision(settings):
        for number, name in enumerate(settings.networks):

            def report(done: int, before: int = updates * number) -> None:
                progress(before + done, total)

            member, curves = fitting.multiscale(report) if name == "multiscale" else fitting.on_patches(name, report)
            members.append(member)
            losses[name] = curves.training
            if curves.validation:
                losses[f"{name}, validation"] = curves.validation
        weights = fitting.weights(members)
        names: tuple[str, ...] = settings.networks
        named = None if weights is None else dict(zip(names, weights, strict=True))
        return Fitted(build_committee(members, weights), losses, named)


@dataclass(frozen=True)
class _Fitting:
    """What the networks of a training have in common; see `fit`."""

    windows: Windows
    ground: Ground
    classes: int
    settings: TrainingSettings
    draw: Draw
    rng: np.random.Generator
    mean: Array
    deviation: Array
    by_class: Array | None

    @property
    def scaling(self) -> tuple[Array, Array]:
        """Mean and deviation of the bands that networks see."""
        seen = slice(len(BANDS_10M)) if self.settings.bands == "10m" else slice(None)
        return self.mean[seen], self.deviation[seen]

    def on_patches(self, name: str, progress: Callable[[int], None]) -> tuple[keras.Model, Curves]:
        """Train a network that reads patches."""
        bodies = BODIES_FOR_XLA if self.settings.xla else BODIES
        model = build(name, bodies[name], self.classes, self.settings.filters, *self.scaling)
        patches = Patches(self.windows, self.ground, self.draw, self.rng, self.settings, self.deviation)
        validation = _windows_of_validation(self.windows, self.ground)
        steps = self.settings.steps
        return model, descend(model, patches, steps, self.settings, self.by_class, validation, progress)

    def multiscale(self, progress: Callable[[int], None]) -> tuple[keras.Model, Curves]:
        """Train the perceptron on features that are computed once; the network has both."""
        texture = build_texture(*self.scaling)
        perceptron = build_perceptron(self.classes, texture.output_shape[-1])
        targets = self.ground.targets
        chosen = self.draw(min(FEATURE_PIXELS, 4 * int(np.count_nonzero(targets))))
        learned = _feature_pixels(texture, self.windows, targets, self.ground.near, chosen)

        def pixels() -> Batch:
            return _take(learned, self.rng.integers(0, len(learned.target), PERCEPTRON_PIXELS))

        validation = []
        if self.ground.validation is not None:
            tested = sample_pixels(self.ground.validation, VALIDATION_PIXELS, np.random.default_rng(0))
            judged = _feature_pixels(texture, self.windows, self.ground.validation, self.ground.near, tested)
            validation = [_take(judged, np.arange(len(judged.target)))]
        curves = descend(
            perceptron,
            pixels,
            self.settings.steps * PERCEPTRON_UPDATES,
            self.settings,
            self.by_class,
            validation,
            lambda done: progress(done // PERCEPTRON_UPDATES),
        )
        return build_multiscale(texture, perceptron), curves

    def weights(self, members: Sequence[keras.Model]) -> tuple[float, ...] | None:
        """Return what each member counts by the pixels of validation; None where there are none, or one member."""
        if self.ground.validation is None or len(members) < 2:
            return None
        judged = _windows_of_validation(self.windows, self.ground)
        return vote_weights([_right_shares(member, judged) for member in members])


def _right_shares(member: keras.Model, judged: Sequence[Batch]) -> Array:
    """Return a member's probabilities of the right classes of labelled pixels: float32 (pixel,)."""
    compute = tf.function(
        lambda bands: tf.nn.softmax(tf.cast(member(list(bands), training=False), tf.float32)), autograph=False
    )
    found = []
    for batch in judged:
        labelled = batch.target > 0
        shares = compute(tuple(map(tf.constant, batch.inputs))).numpy()[labelled]
        found.append(np.take_along_axis(shares, batch.target[labelled][:, None].astype(np.int64) - 1, axis=1)[:, 0])
    return np.concatenate(found)


def _windows_of_validation(windows: Windows, ground: Ground) -> list[Batch]:
    """Windows that tell the loss of validation, a seeded draw of them where there are many; one in each batch."""
    if ground.validation is None:
        return []
    chosen = np.flatnonzero(ground.validation.any(axis=(1, 2)))
    if len(chosen) > VALIDATION_WINDOWS:
        chosen = np.sort(np.random.default_rng(0).choice(chosen, VALIDATION_WINDOWS, replace=False))
    near = np.zeros_like(ground.validation, bool) if ground.near is None else ground.near
    return [
        Batch((windows.msi_10m[i : i + 1], windows.msi_20m[i : i + 1]), ground.validation[i : i + 1], near[i : i + 1])
        for i in chosen
    ]


def _feature_pixels(
    texture: keras.Model, windows: Windows, targets: Array, near: Array | None, chosen: tuple[Array, Array, Array]
) -> Batch:
    """Features of m pixels (window, y, x), by window: float32 (m, features), target uint8 (m,), near bool (m,)."""
    window, y, x = chosen
    order = np.argsort(window, kind="stable")
    window, y, x = window[order], y[order], x[order]
    compute = tf.function(lambda fine, coarse: texture([fine, coarse], training=False), autograph=False)
    features = []
    for i in np.unique(window):
        here = window == i
        answer = compute(tf.constant(windows.msi_10m[i : i + 1]), tf.constant(windows.msi_20m[i : i + 1])).numpy()
        features.append(answer[0, y[here], x[here]])
    at_edge = np.zeros(len(window), bool) if near is None else near[window, y, x]
    return Batch((np.concatenate(features),), targets[window, y, x], at_edge)


def _take(pixels: Batch, chosen: Array) -> Batch:
    """Return single pixels as a patch one pixel high."""
    (features,) = pixels.inputs
    return Batch((features[chosen][None, None],), pixels.target[chosen][None, None], pixels.near[chosen][None, None])
