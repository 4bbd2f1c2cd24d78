"""Windows around blocks: the samples that networks are trained and tested on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from services.trainer.split import BLOCK_PX, trainable
from shared.cube.inputs import InputCube, read_week
from shared.geo import TILE_10M_PX
from shared.items.model_inputs import OLCI_PX, ModelInputs
from shared.items.weeks import day_of_year, later_week

MARGIN_PX = 32
"""Surroundings of a block that a network sees; the same as between the middles of two windows of a map."""

Array = npt.NDArray[Any]


class TrainingCube(InputCube, Protocol):
    """What training reads of a cube; see `shared.cube.Cube`."""

    def weeks(self) -> list[str]:
        """Weeks that hold Sentinel-2 data, ascending."""

    def labels(self, y: int, x: int, ny: int, nx: int) -> Array:
        """uint8 (ny, nx), zero outside the grid."""

    def label_confidence(self, y: int, x: int, ny: int, nx: int) -> Array:
        """uint8 (ny, nx): 10 m px to the nearest pixel of another class, capped at 255; zero where `labels` is."""

    def polygons(self, y: int, x: int, ny: int, nx: int) -> Array:
        """uint32 (ny, nx): number of the polygon that a pixel was labelled by; zero where `labels` is."""

    @property
    def has_polygons(self) -> bool:
        """Whether polygons and confidence are known; where not, both are zero everywhere."""

    def observed(self, week: str) -> Array:
        """Tiles with data: bool (tile row, tile col)."""


@dataclass(frozen=True, order=True)
class Place:
    """A block in a week."""

    week: str
    row: int
    col: int

    def before(self, weeks: int) -> Place:
        """Return the same block so many weeks before."""
        return Place(later_week(self.week, -weeks), self.row, self.col)


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


def list_places(blocks: Array, observed: Mapping[str, Array], most: int, seed: int, whole: bool = False) -> list[Place]:
    """Blocks and weeks with data, ascending by week, row, column; a seeded draw of them where there are too many.

    Args:
        blocks: bool (block row, block col).
        observed: week -> bool (tile row, tile col).
        most: how many to keep: bounds memory and time on large areas.
        seed: of the draw.
        whole: blocks are drawn with all of their weeks, as far as they fit: each is the past of the next one.
    """
    weeks = sorted(observed)
    found = [np.argwhere(_seen(blocks, observed[week])) for week in weeks]
    which = np.repeat(np.arange(len(weeks)), [len(f) for f in found])
    corners = np.concatenate([np.empty((0, 2), int), *found])
    chosen = np.arange(len(which))
    if len(chosen) > most:
        rng = np.random.default_rng(seed)
        chosen = _draw_whole(corners, most, rng) if whole else np.sort(rng.choice(len(chosen), most, replace=False))
    return [Place(weeks[which[i]], int(corners[i, 0]), int(corners[i, 1])) for i in chosen]


def _draw_whole(corners: Array, most: int, rng: np.random.Generator) -> Array:
    """Draw blocks, as many as have together at most so many places; at least one: ascending indices of the places."""
    blocks, of_place, counts = np.unique(corners, axis=0, return_inverse=True, return_counts=True)
    order = rng.permutation(len(blocks))
    fitting = max(1, int(np.searchsorted(np.cumsum(counts[order]), most, side="right")))
    kept = np.zeros(len(blocks), bool)
    kept[order[:fitting]] = True
    return np.flatnonzero(kept[of_place.ravel()])


def count_places(blocks: Array, observed: Mapping[str, Array]) -> int:
    """How many places `list_places` would list without a limit."""
    return sum(int(np.count_nonzero(_seen(blocks, tiles))) for tiles in observed.values())


def _seen(blocks: Array, tiles: Array) -> Array:
    """Those blocks whose tile was observed: bool (block row, block col)."""
    per_tile = TILE_10M_PX // BLOCK_PX
    seen: Array = blocks & np.repeat(np.repeat(tiles, per_tile, axis=0), per_tile, axis=1)
    return seen


def read_windows(
    cube: TrainingCube,
    places: Sequence[Place],
    inputs: ModelInputs,
    margin: int = MARGIN_PX,
    observed: Mapping[str, Array] | None = None,
) -> Windows:
    """Read the windows of some places, and what their past holds where the inputs have one.

    Args:
        cube: where they are read.
        places: blocks in weeks.
        inputs: what networks read.
        margin: width of the margin in 10 m px.
        observed: week -> bool (tile row, tile col), of all weeks: what Sentinel-2 did not observe is not looked for,
            unless OLCI is read, too; None = nothing is known.
    """
    own = _read(cube, places, ModelInputs(dict(ModelInputs().bands) | dict(inputs.bands)), margin)
    if not inputs.history_weeks:
        return own
    known = {place: i for i, place in enumerate(places)}
    before = [[place.before(weeks) for weeks in range(inputs.history_weeks, 0, -1)] for place in places]
    wanted = sorted({place for row in before for place in row} - known.keys())
    if observed is not None and "olci_300m" not in inputs.bands:
        wanted = [place for place in wanted if _is_observed(place, observed)]
    others = _read(cube, wanted, inputs, margin, past=True)
    known |= {place: len(places) + i for i, place in enumerate(others.places)}
    index = np.array([[known.get(place, -1) for place in row] for row in before], np.int32)
    return replace(own, past=Past(index.reshape(len(places), inputs.history_weeks), others))


def _is_observed(place: Place, observed: Mapping[str, Array]) -> bool:
    per_tile = TILE_10M_PX // BLOCK_PX
    tiles = observed.get(place.week)
    return tiles is not None and bool(tiles[place.row // per_tile, place.col // per_tile])


def _read(cube: TrainingCube, places: Sequence[Place], inputs: ModelInputs, margin: int, past: bool = False) -> Windows:
    """Read the own weeks of some places; those of a past have no labels, and are left out where they hold nothing."""
    side = BLOCK_PX + 2 * margin
    shapes = _shapes(dict(ModelInputs().bands) | dict(inputs.bands), side)
    # Pages that nothing is written to take no memory.
    layers = {
        name: np.zeros((len(places), *shape), "float32" if name == "olci_300m" else "uint16")
        for name, shape in shapes.items()
    }
    labels = np.zeros((len(places), side, side), np.uint8)
    wanted, kept = ModelInputs({name: bands for name, bands in inputs.bands.items() if bands}), list[Place]()
    for place in places:
        top, left = place.row * BLOCK_PX - margin, place.col * BLOCK_PX - margin
        found = read_week(cube, wanted, place.week, top, left, side)
        if past and not any(np.isfinite(v).any() if v.dtype.kind == "f" else v.any() for v in found.values()):
            continue
        i = len(kept)
        kept.append(place)
        for name, values in found.items():
            if values.any():
                layers[name][i] = values
        if not past:
            labels[i] = cube.labels(top, left, side, side) * (layers["msi_10m"][i] > 0).all(axis=-1)
    layers = {name: values[: len(kept)] for name, values in layers.items()}
    fine, coarse = layers.pop("msi_10m"), layers.pop("msi_20m")
    return Windows(tuple(kept), fine, coarse, labels[: len(kept)], margin, layers)


def _shapes(bands: Mapping[str, tuple[str, ...]], side: int) -> dict[str, tuple[int, ...]]:
    sides = {"msi_10m": side, "msi_20m": side // 2, "msi_60m": side // 2, "olci_300m": OLCI_PX}
    return {name: (sides[name], sides[name], len(of)) for name, of in bands.items() if of}


def read_in_batches(
    cube: TrainingCube, places: Sequence[Place], size: int, inputs: ModelInputs, margin: int = MARGIN_PX
) -> Iterator[Windows]:
    """Read windows a few at a time."""
    for start in range(0, len(places), size):
        yield read_windows(cube, places[start : start + size], inputs, margin)


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
