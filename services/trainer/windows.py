"""Windows around blocks: the samples that networks are trained and tested on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from services.trainer.places import Place
from services.trainer.split import BLOCK_PX, trainable
from shared.items.model_inputs import ModelInputs
from shared.items.weeks import day_of_year

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Past:
    """The weeks before those of windows.

    Attributes:
        index: int32 (n, week), oldest first: which of the windows, or, counted on, which of the others; -1 = none,
            nothing was observed.
        others: windows that are the past of some, and no samples themselves.
    """

    index: Array
    others: Windows


@dataclass(frozen=True)
class Windows:
    """Blocks with their margin.

    Attributes:
        places: n places.
        msi_10m: uint16 (n, y, x, 4), stored values.
        msi_20m: uint16 (n, y/2, x/2, 6).
        labels: uint8 (n, y, x): 0 = unlabelled or not observed in this week.
        margin: width of the margin in 10 m px.
        more: `msi_60m` uint16 (n, y/2, x/2, 2 or 3), `olci_300m` float32 (n, 9, 9, 21), as far as they were read.
        past: None = only their own week was read.
    """

    places: tuple[Place, ...]
    msi_10m: Array
    msi_20m: Array
    labels: Array
    margin: int
    more: Mapping[str, Array] = field(default_factory=dict)
    past: Past | None = None

    def layer(self, name: str) -> Array:
        """Return the values of an input in the windows' own weeks."""
        layers: dict[str, Array] = {"msi_10m": self.msi_10m, "msi_20m": self.msi_20m, **self.more}
        return layers[name]

    def weeks_of(self, i: int, history: int) -> list[Kept]:
        """Return where a window's weeks are kept, oldest first, its own last; None where one was not observed."""
        before = [] if self.past is None or not history else self.past.index[i, -history:].tolist()
        return [*map(self._kept, before), (self, i)]

    def _kept(self, index: int) -> Kept:
        assert self.past is not None
        own = len(self.places)
        if index < 0:
            return None
        return (self, int(index)) if index < own else (self.past.others, int(index) - own)

    def targets(self, tested: Array, buffer_px: int) -> Array:
        """Labels that may carry loss for a network that is tested on some blocks.

        Args:
            tested: bool (block row, block col).
            buffer_px: pixels this near to a tested block carry none.

        Returns:
            uint8 (n, y, x): 0 = no loss. Windows in a tested block carry none at all.
        """
        result = np.zeros_like(self.labels)
        side = self.labels.shape[1]
        for i, place in enumerate(self.places):
            if not tested[place.row, place.col]:
                top, left = place.row * BLOCK_PX - self.margin, place.col * BLOCK_PX - self.margin
                result[i] = self.labels[i] * trainable(tested, top, left, side, side, buffer_px)
        return result

    def of(self, places: Collection[Place]) -> Windows:
        """Return those that are among some places, in the same order."""
        return self.at([i for i, place in enumerate(self.places) if place in places])

    def at(self, chosen: Sequence[int]) -> Windows:
        """Return those of some indices."""
        chosen = list(chosen)
        if self.past is None:
            return _gather([(self, i) for i in chosen], self)
        history = self.past.index.shape[1]
        kept = [self.weeks_of(i, history) for i in chosen]
        first = {self.places[i]: number for number, i in enumerate(chosen)}
        others: list[tuple[Windows, int]] = []
        index = np.full((len(chosen), history), -1, np.int32)
        for number, weeks in enumerate(kept):
            for week, found in enumerate(weeks[:-1]):
                if found is not None:
                    place = found[0].places[found[1]]
                    if place not in first:
                        first[place] = len(chosen) + len(others)
                        others.append(found)
                    index[number, week] = first[place]
        past = Past(index, _gather(others, self))
        return replace(_gather([(self, i) for i in chosen], self), past=past)

    def stacked(self, inputs: ModelInputs) -> list[Array]:
        """Return what a model reads of the windows, in the order of its inputs, each (n, ...); see `ModelInputs`."""
        if not inputs.weeks and "week" not in inputs.bands:
            return [self.layer(name) for name in inputs.names]
        each = [self.sample(i, inputs, self.weeks_of(i, inputs.history_weeks)) for i in range(len(self.places))]
        return [np.stack(values) for values in zip(*each, strict=True)]

    def sample(self, i: int, inputs: ModelInputs, weeks: Sequence[Kept]) -> list[Array]:
        """Return what a model reads of one window, of some of its weeks, without the axis of the batch.

        Args:
            i: which window.
            inputs: what the model reads.
            weeks: as of `weeks_of`; None = left out, as if nothing was observed.
        """
        return [self._of_weeks(i, name, inputs, weeks) for name in inputs.names]

    def _of_weeks(self, i: int, name: str, inputs: ModelInputs, weeks: Sequence[Kept]) -> Array:
        if name == "week":
            found = np.array([day_of_year(week) for week in inputs.weeks_of(self.places[i].week)], np.uint16)
        else:
            like = self.layer(name)
            found = np.full((len(weeks), *like.shape[1:]), np.nan if like.dtype.kind == "f" else 0, like.dtype)
            for number, kept in enumerate(weeks):
                if kept is not None:
                    found[number] = kept[0].layer(name)[kept[1]]
        return found if inputs.weeks else found[-1]

    def padded(self, size: int, inputs: ModelInputs) -> list[Array]:
        """Return what a model reads of `size` windows, zeros after those there are: a result depends on the size."""
        more = size - len(self.places)
        return [np.pad(values, [(0, more), *[(0, 0)] * (values.ndim - 1)]) for values in self.stacked(inputs)]

    def inner(self, values: Array) -> Array:
        """Return the blocks themselves, of an array (n, y, x, ...)."""
        return values[:, self.margin : self.margin + BLOCK_PX, self.margin : self.margin + BLOCK_PX]


Kept = tuple[Windows, int] | None
"""Where a week of a window is kept; None = not observed."""


def _gather(chosen: Sequence[tuple[Windows, int]], like: Windows) -> Windows:
    """Copy windows, each given by where it is kept; `like` tells what they are made of. Their past is left out."""

    def taken(name: str) -> Array:
        found: Array = np.empty((len(chosen), *like.layer(name).shape[1:]), like.layer(name).dtype)
        for number, (windows, i) in enumerate(chosen):
            found[number] = windows.layer(name)[i]
        return found

    labels = np.zeros((len(chosen), *like.labels.shape[1:]), like.labels.dtype)
    for number, (windows, i) in enumerate(chosen):
        labels[number] = windows.labels[i]
    places = tuple(windows.places[i] for windows, i in chosen)
    more = {name: taken(name) for name in like.more}
    return Windows(places, taken("msi_10m"), taken("msi_20m"), labels, like.margin, more)


def sample_pixels(targets: Array, most: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """(window, y, x) of the pixels above 0, ascending; a draw of `most` where there are more."""
    pixels = np.flatnonzero(targets)
    if len(pixels) > most:
        pixels = pixels[np.sort(rng.choice(len(pixels), most, replace=False))]
    window, y, x = np.unravel_index(pixels, targets.shape)
    return window, y, x


def spectra(windows: Windows, chosen: tuple[Array, Array, Array]) -> Array:
    """Return the stored values of single pixels.

    Args:
        windows: n windows.
        chosen: (window, y, x) indices of m pixels.

    Returns:
        uint16 (m, 10): B02 B03 B04 B08, then the 20 m bands of the cell.
    """
    i, y, x = chosen
    return np.concatenate([windows.msi_10m[i, y, x], windows.msi_20m[i, y // 2, x // 2]], axis=1)
