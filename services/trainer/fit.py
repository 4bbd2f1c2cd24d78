"""Train networks: many small updates on patches that are drawn evenly over rare and common classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from services.trainer.augment import Batch, Patches, drop_weeks
from services.trainer.checkpoint import Chance, Descent, Learned, Part, Way
from services.trainer.curves import VALIDATION
from services.trainer.descend import Curves, Losses, assign, descend, precision, values
from services.trainer.draw import Draw
from services.trainer.ground import Ground
from services.trainer.losses import balanced_weights
from services.trainer.networks.committee import build_committee
from services.trainer.networks.inputs import BANDS_10M, Scaling
from services.trainer.networks.layers import Body, build
from services.trainer.networks.multiscale import build_multiscale, build_perceptron, build_texture
from services.trainer.networks.resnet import resnet
from services.trainer.networks.segnet import segnet
from services.trainer.networks.unet import unet, unet_for_xla
from services.trainer.rounds import Round, Rounds
from services.trainer.vote import vote_weights
from services.trainer.windows import Kept, Windows, sample_pixels, spectra
from shared.area.training import TrainingSettings
from shared.items.model_inputs import ModelInputs

Array = npt.NDArray[Any]

PERCEPTRON_PIXELS = 1024
"""Pixels in one update of the perceptron."""

PERCEPTRON_UPDATES = 4
"""Updates of the perceptron for one of another network."""

SCALING_PIXELS = 500_000
"""Pixels that mean and deviation are taken over."""

LEAST_RADIANCE = 0.1
"""Deviation of a band of OLCI, in mW m-2 sr-1 nm-1, below which it tells nothing."""

BODIES: Mapping[str, Body] = {"unet": unet, "segnet": segnet, "resnet": resnet}
"""Networks that read patches."""

BODIES_FOR_XLA: Mapping[str, Body] = {**BODIES, "unet": unet_for_xla}
"""The same networks, of operations that XLA can differentiate."""

FEATURE_PIXELS = 120_000
"""Pixels whose features are kept in memory for the perceptron."""

VALIDATION_WINDOWS, VALIDATION_PIXELS = 48, 40_000
"""What the loss of validation is taken over at most, by networks that read patches and by the perceptron."""

LEAST_VALIDATION = 8
"""Windows of long stacks that it is taken over; of shorter ones more, as many as hold 48 weeks together."""


@dataclass(frozen=True)
class Fitted:
    """A trained model.

    Attributes:
        model: what the settings read -> probabilities float32 (batch, y, x, classes).
        losses: mean loss of each epoch, by network, and of its validation.
        rates: learning rate at the end of each epoch, by network.
        way: how far it has come, which is to the end.
        weights: what each vote counts, by network; None = all count alike.
    """

    model: keras.Model
    losses: dict[str, list[float]]
    rates: dict[str, list[float]]
    way: Way
    weights: dict[str, float] | None = None


def scaling_of(windows: Windows, targets: Array) -> Scaling:
    """Mean and deviation of the stored values of the training pixels, and of what OLCI saw around their windows."""
    chosen = sample_pixels(targets, SCALING_PIXELS, np.random.default_rng(0))
    values = spectra(windows, chosen).astype(np.float64)
    fine = len(BANDS_10M)
    known = {"msi_10m": values[:, :fine], "msi_20m": values[:, fine:]}
    if "msi_60m" in windows.more:
        i, y, x = chosen
        known["msi_60m"] = _seen(windows.more["msi_60m"][i, y // 2, x // 2].astype(np.float64))
    if "olci_300m" in windows.more:
        radiance = windows.more["olci_300m"][targets.any(axis=(1, 2))].astype(np.float64)
        known["olci_300m"] = _seen(np.nan_to_num(radiance.reshape(-1, radiance.shape[-1])))
    least = {"olci_300m": LEAST_RADIANCE}
    return Scaling(
        {name: of.mean(axis=0) for name, of in known.items()},
        {name: np.maximum(of.std(axis=0), least.get(name, 1.0)) for name, of in known.items()},
    )


def _seen(values: Array) -> Array:
    """Those that were observed, of float64 (n, band); one of zeros where none was."""
    seen = values[(values > 0).all(axis=1)]
    return seen if len(seen) else np.zeros((1, values.shape[1]))


def fit(
    windows: Windows,
    ground: Ground,
    classes: int,
    settings: TrainingSettings,
    inputs: ModelInputs,
    seed: int,
    progress: Callable[[int, int, Losses], None] = lambda done, total, losses: None,
    part: Part[Way] | None = None,
    rounds: Rounds | None = None,
) -> Fitted:
    """Train the networks that the settings name on the same pixels, one after the other.

    Args:
        windows: n windows.
        ground: their labels; at least one pixel carries loss, and one tells the loss of validation where any should.
        classes: number of classes of the scheme.
        settings: which networks, sizes and the recipe.
        inputs: what they read, as the settings name it.
        seed: of weights, draws and augmentation.
        progress: called with (updates done, updates in total, losses of the last epoch).
        part: what it goes on from, and what it keeps after an epoch.
        rounds: windows that networks which read patches learn from by and by, `windows` first; None = these alone.

    Returns:
        Their vote; the same arguments give the same bits on one kind of machine, wherever it went on from.
    """
    part = part or Part()
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    scaling = scaling_of(windows, ground.targets)
    draw = Draw(ground.targets, rng)
    by_class = balanced_weights(ground.targets, classes) if settings.class_weights == "balanced" else None
    fitting = _Fitting(windows, inputs, ground, classes, settings, draw, rng, scaling, by_class, rounds)
    updates = settings.epochs * settings.steps
    total = updates * len(settings.networks)
    way = part.reached or Way([], chance_of(rng))
    members: list[keras.Model] = []
    losses: dict[str, list[float]] = {}
    with precision(settings):
        for number, name in enumerate(settings.networks):

            def report(done: int, lost: Losses, before: int = updates * number) -> None:
                progress(before + done, total, lost)

            def save(make: Callable[[], Descent], way: Way = way) -> None:
                part.save(lambda: replace(way, descent=make(), chance=chance_of(rng)))

            # Networks that are trained already are built all the same: those after them are named and begin alike.
            learned = way.learned[number] if number < len(way.learned) else None
            if learned is None:
                rng.bit_generator.state = way.began
            train = fitting.multiscale if name == "multiscale" else partial(fitting.on_patches, name)
            member, learned = train(learned, report, Part(way.descent, save), way.chance)
            members.append(member)
            losses[name] = learned.training
            if learned.validation:
                losses[f"{name}{VALIDATION}"] = learned.validation
            if number == len(way.learned):
                way = Way([*way.learned, learned], chance_of(rng))
                part.save(partial(replace, way))
        weights = fitting.weights(members)
        names: tuple[str, ...] = settings.networks
        named = None if weights is None else dict(zip(names, weights, strict=True))
        rates = {name: learned.rates for name, learned in zip(names, way.learned, strict=True)}
        return Fitted(build_committee(members, inputs, weights), losses, rates, way, named)


def chance_of(rng: np.random.Generator) -> Chance:
    """Return the state of a generator of random numbers."""
    return dict(rng.bit_generator.state)


Report = Callable[[int, Losses], None]


@dataclass(frozen=True)
class _Fitting:
    """What the networks of a training have in common; see `fit`."""

    windows: Windows
    inputs: ModelInputs
    ground: Ground
    classes: int
    settings: TrainingSettings
    draw: Draw
    rng: np.random.Generator
    scaling: Scaling
    by_class: Array | None
    rounds: Rounds | None

    def on_patches(
        self, name: str, learned: Learned | None, progress: Report, part: Part[Descent], chance: Chance | None
    ) -> tuple[keras.Model, Learned]:
        """Train a network that reads patches.

        Args:
            name: of the network.
            learned: it, if it is trained already.
            progress: see `descend`.
            part: see `descend`.
            chance: random numbers as of what it goes on from.
        """
        bodies = BODIES_FOR_XLA if self.settings.xla else BODIES
        model = build(name, bodies[name], self.classes, self.settings.filters, self.inputs, self.scaling)
        if learned is not None:
            assign(model.variables, learned.variables)
            return model, learned
        validation = self._windows_of_validation()
        self._take_up(chance)
        steps = self.settings.steps
        curves = descend(model, self._batches(), steps, self.settings, self.by_class, validation, progress, part)
        return model, _learned(model, curves)

    def _batches(self) -> Callable[[int], Iterator[Batch]]:
        """Return what gives the batches of an epoch."""
        settings, deviation = self.settings, self.scaling.deviation
        first = Round(self.windows, self.ground) if self.rounds is None else self.rounds.first

        @lru_cache(1)
        def patches_of(found: Round) -> Patches:
            # Chance of its own: whoever goes on from a later epoch of this round draws alike.
            keeping = np.random.default_rng(settings.seed)
            draw = self.draw if found is first else Draw(found.ground.targets, self.rng, keeping=keeping)
            return Patches(found.windows, self.inputs, found.ground, draw, self.rng, settings, deviation)

        def batches(epoch: int) -> Iterator[Batch]:
            patches = patches_of(first if self.rounds is None else self.rounds.of(epoch, settings.epochs))
            return (patches() for _ in range(settings.steps))

        return batches

    def multiscale(
        self, learned: Learned | None, progress: Report, part: Part[Descent], chance: Chance | None
    ) -> tuple[keras.Model, Learned]:
        """Train the perceptron on features that are computed once; the network has both. See `on_patches`."""
        texture = build_texture(self.inputs, self.scaling)
        perceptron = build_perceptron(self.classes, texture.output_shape[-1])
        if learned is None:
            learned = self._perceptron(texture, perceptron, progress, part, chance)
        else:
            assign(perceptron.variables, learned.variables)
        return build_multiscale(texture, perceptron, self.inputs), learned

    def _perceptron(
        self,
        texture: keras.Model,
        perceptron: keras.Model,
        progress: Report,
        part: Part[Descent],
        chance: Chance | None,
    ) -> Learned:
        """Train the perceptron; see `on_patches`."""
        targets = self.ground.targets
        chosen = self.draw(min(FEATURE_PIXELS, 4 * int(np.count_nonzero(targets))))
        taught = self._feature_pixels(texture, targets, chosen, lambda w: drop_weeks(w, self.settings, self.rng))

        def pixels() -> Batch:
            return _take(taught, self.rng.integers(0, len(taught.target), PERCEPTRON_PIXELS))

        validation = []
        if self.ground.validation is not None:
            tested = sample_pixels(self.ground.validation, VALIDATION_PIXELS, np.random.default_rng(0))
            judged = self._feature_pixels(texture, self.ground.validation, tested)
            validation = [_take(judged, np.arange(len(judged.target)))]
        self._take_up(chance)
        updates = self.settings.steps * PERCEPTRON_UPDATES
        curves = descend(
            perceptron,
            lambda epoch: (pixels() for _ in range(updates)),
            updates,
            self.settings,
            self.by_class,
            validation,
            lambda done, lost: progress(done // PERCEPTRON_UPDATES, lost),
            part,
        )
        return _learned(perceptron, curves)

    def _take_up(self, chance: Chance | None) -> None:
        """Draw as after the epoch that is gone on from: what was drawn until then to prepare is of the beginning."""
        if chance is not None:
            self.rng.bit_generator.state = chance

    def weights(self, members: Sequence[keras.Model]) -> tuple[float, ...] | None:
        """Return what each member counts by the pixels of validation; None where there are none, or one member."""
        if self.ground.validation is None or len(members) < 2:
            return None
        judged = self._windows_of_validation()
        return vote_weights([_right_shares(member, judged) for member in members])

    def _windows_of_validation(self) -> list[Batch]:
        """Windows that tell the loss of validation, a seeded draw of them where there are many; one in each batch."""
        validation, near = self.ground.validation, self.ground.near
        if validation is None:
            return []
        chosen = np.flatnonzero(validation.any(axis=(1, 2)))
        most = max(LEAST_VALIDATION, VALIDATION_WINDOWS // (self.inputs.history_weeks + 1))
        if len(chosen) > most:
            chosen = np.sort(np.random.default_rng(0).choice(chosen, most, replace=False))
        if near is None:
            near = np.zeros_like(validation, bool)
        return [
            Batch(tuple(self.windows.at([i]).stacked(self.inputs)), validation[i : i + 1], near[i : i + 1])
            for i in chosen
        ]

    def _feature_pixels(
        self,
        texture: keras.Model,
        targets: Array,
        chosen: tuple[Array, Array, Array],
        change: Callable[[list[Kept]], list[Kept]] = lambda weeks: weeks,
    ) -> Batch:
        """Features of m pixels (window, y, x), by window: float32 (m, features), target uint8 (m,), near bool (m,).

        Pixels that no week sees that `change` leaves have no target.
        """
        window, y, x = chosen
        order = np.argsort(window, kind="stable")
        window, y, x = window[order], y[order], x[order]
        compute = tf.function(lambda *inputs: texture(list(inputs), training=False), autograph=False)
        target, features = targets[window, y, x], []
        for i in map(int, np.unique(window)):
            here = window == i
            weeks = change(self.windows.weeks_of(i, self.inputs.history_weeks))
            inputs = dict(zip(self.inputs.names, self.windows.sample(i, self.inputs, weeks), strict=True))
            answer = compute(*(tf.constant(values[None]) for values in inputs.values()))
            features.append(answer.numpy()[0, y[here], x[here]])
            if self.inputs.weeks:
                target[here] *= inputs["msi_10m"][:, y[here], x[here]].all(axis=-1).any(axis=0)
        at_edge = np.zeros(len(window), bool) if self.ground.near is None else self.ground.near[window, y, x]
        return Batch((np.concatenate(features),), target, at_edge)


def _learned(model: keras.Model, curves: Curves) -> Learned:
    return Learned(values(model.variables), curves.training, curves.validation, curves.rates)


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


def _take(pixels: Batch, chosen: Array) -> Batch:
    """Return single pixels as a patch one pixel high."""
    (features,) = pixels.inputs
    return Batch((features[chosen][None, None],), pixels.target[chosen][None, None], pixels.near[chosen][None, None])
