"""Patches around drawn pixels, augmented: turned, mirrored, moved against their labels, with noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from services.trainer.draw import Draw
from services.trainer.ground import Ground
from services.trainer.windows import Kept, Windows
from shared.area.training import TrainingSettings
from shared.items.model_inputs import OLCI_PX, ModelInputs
from shared.items.weeks import day_of_year

Array = npt.NDArray[Any]


class Batch(NamedTuple):
    """What one update learns from.

    Attributes:
        inputs: of the network.
        target: uint8 (batch, y, x): 0 = no loss.
        near: bool (batch, y, x): near a label edge, and counts less.
    """

    inputs: tuple[Array, ...]
    target: Array
    near: Array


@dataclass(frozen=True)
class Patches:
    """Cuts square patches from windows.

    Attributes:
        windows: n windows.
        inputs: what the network reads.
        ground: their labels.
        draw: draws the pixels that patches are cut around.
        rng: of augmentation.
        settings: sizes, and which augmentation.
        deviation: of the stored values of training pixels, by input: float64 (band,).
    """

    windows: Windows
    inputs: ModelInputs
    ground: Ground
    draw: Draw
    rng: np.random.Generator
    settings: TrainingSettings
    deviation: Mapping[str, Array]

    def __call__(self) -> Batch:
        """Return the next batch, its inputs as of `ModelInputs`, of `patch_px` 10 m px."""
        count, side = self.settings.batch, self.settings.patch_px
        inputs = self._empty(count)
        target = np.empty((count, side, side), np.uint8)
        near = np.zeros((count, side, side), bool)
        limit = self.ground.targets.shape[1] - side
        for i, (window, y, x) in enumerate(zip(*self.draw(count), strict=True)):
            # An even origin keeps 10 and 20 m pixels aligned.
            top, left = (min(max(int(v) - int(self.rng.integers(0, side)), 0), limit) // 2 * 2 for v in (y, x))
            turns, mirrored = self._turn()
            bands = _Cut(*self._moved(top, left, limit), side, turns, mirrored)
            labels = _Cut(top, left, side, turns, mirrored)
            target[i] = labels.of(self.ground.targets[window])
            if self.ground.near is not None:
                near[i] = labels.of(self.ground.near[window])
            weeks = drop_weeks(self.windows.weeks_of(window, self.inputs.history_weeks), self.settings, self.rng)
            for name, values in inputs.items():
                self._fill(values[i], name, weeks, int(window), bands)
            if self.inputs.weeks:
                target[i] *= inputs["msi_10m"][i].all(axis=-1).any(axis=0)  # nothing is learned of what is not seen
        if self.settings.noise_share:
            for name in (n for n in inputs if n.startswith("msi_")):  # in their order: it decides who draws first
                inputs[name] = self._noisy(inputs[name], self.deviation[name])
        return Batch(tuple(inputs.values()), target, near)

    def _empty(self, count: int) -> dict[str, Array]:
        side, weeks = self.settings.patch_px, self.inputs.weeks
        made: dict[str, Array] = {}
        for name, bands in self.inputs.bands.items():
            if name == "olci_300m":
                made[name] = np.full((count, *weeks, OLCI_PX, OLCI_PX, len(bands)), np.nan, np.float32)
            elif name == "week":
                made[name] = np.zeros((count, *weeks), np.uint16)
            else:
                px = side if name == "msi_10m" else side // 2
                made[name] = np.zeros((count, *weeks, px, px, len(bands)), np.uint16)
        return made

    def _fill(self, values: Array, name: str, weeks: Sequence[Kept], window: int, cut: _Cut) -> None:
        """Fill in an input of a patch: ([week], ...)."""
        if name == "week":
            days = [day_of_year(week) for week in self.inputs.weeks_of(self.windows.places[window].week)]
            values[...] = days if self.inputs.weeks else days[-1]
            return
        by_week = values if self.inputs.weeks else values[None]
        for out, kept in zip(by_week, weeks, strict=True):
            if kept is not None:
                whole = kept[0].layer(name)[kept[1]]
                if name == "olci_300m":
                    out[...] = cut.turned(whole)
                else:
                    out[...] = (cut if name == "msi_10m" else cut.halved()).of(whole)

    def _turn(self) -> tuple[int, bool]:
        """Quarter turns, and whether it is mirrored."""
        turns = int(self.rng.integers(0, 4)) if self.settings.rotations else 0
        return turns, bool(self.rng.integers(0, 2)) if self.settings.flips else False

    def _moved(self, top: int, left: int, limit: int) -> tuple[int, int]:
        """Where the bands of a patch are cut, whose labels are cut at (top, left); within the window, even."""
        most = self.settings.shift_px // 2
        if not most:
            return top, left
        down, right = (2 * int(step) for step in self.rng.integers(-most, most + 1, 2))
        limit = limit // 2 * 2
        return min(max(top + down, 0), limit), min(max(left + right, 0), limit)

    def _noisy(self, values: Array, deviation: Array) -> Array:
        """Add noise to stored values uint16 (..., band); 0, not observed, stays 0, and nothing else becomes it."""
        noise = self.rng.standard_normal(values.shape, np.float32) * (self.settings.noise_share * deviation)
        changed = np.clip(np.rint(values + noise), 1, np.iinfo(np.uint16).max).astype(np.uint16)
        return np.where(values > 0, changed, values)


class _Cut(NamedTuple):
    """A square of a window, turned and mirrored."""

    top: int
    left: int
    side: int
    turns: int
    mirrored: bool

    def halved(self) -> _Cut:
        """Return the same square on the 20 m lattice."""
        return self._replace(top=self.top // 2, left=self.left // 2, side=self.side // 2)

    def of(self, values: Array) -> Array:
        """Cut it from a window (y, x, ...)."""
        return self.turned(values[self.top : self.top + self.side, self.left : self.left + self.side])

    def turned(self, values: Array) -> Array:
        """Turn and mirror a square (y, x, ...)."""
        turned = np.rot90(values, self.turns)
        return turned[:, ::-1] if self.mirrored else turned


def drop_weeks(weeks: list[Kept], settings: TrainingSettings, rng: np.random.Generator) -> list[Kept]:
    """Leave out weeks of a sample by chance, each as likely as another, but never all; a lone week is always kept."""
    if len(weeks) == 1 or rng.random() >= settings.week_dropout:
        return weeks
    held = [i for i, week in enumerate(weeks) if week is not None]
    kept = set(rng.permutation(held)[: int(rng.integers(1, len(held) + 1))].tolist())
    return [week if i in kept else None for i, week in enumerate(weeks)]
