"""Read the windows of places from the cube."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from services.trainer.places import Group, Place, group_places
from services.trainer.split import BLOCK_PX
from services.trainer.windows import Past, Windows
from shared.cube.inputs import LabelCube, read_excerpt, read_week
from shared.geo import TILE_10M_PX
from shared.items.model_inputs import OLCI_PX, ModelInputs

READERS = 4
"""Excerpts read at a time: a store answers several requests in the time of one, and two cores decode them."""

MARGIN_PX = 32
"""Surroundings of a block that a network sees; the same as between the middles of two windows of a map."""

Array = npt.NDArray[Any]


class TrainingCube(LabelCube, Protocol):
    """What training reads of a cube; see `shared.cube.Cube`."""

    def weeks(self) -> list[str]:
        """Weeks that hold Sentinel-2 data, ascending."""

    def label_confidence(self, y: int, x: int, ny: int, nx: int) -> Array:
        """uint8 (ny, nx): 10 m px to the nearest pixel of another class, capped at 255; zero where `labels` is."""

    def polygons(self, y: int, x: int, ny: int, nx: int) -> Array:
        """uint32 (ny, nx): number of the polygon that a pixel was labelled by; zero where `labels` is."""

    @property
    def has_polygons(self) -> bool:
        """Whether polygons and confidence are known; where not, both are zero everywhere."""

    def observed(self, week: str) -> Array:
        """Tiles with data: bool (tile row, tile col)."""


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
    wanted = ModelInputs({name: bands for name, bands in inputs.bands.items() if bands})
    held = np.ones(len(places), bool)

    def read_group(group: Group) -> None:
        week, whole = places[group.members[0]].week, group.around(margin)
        excerpt = read_excerpt(cube, wanted, week, whole, side, labelled=not past)
        for i in group.members:
            top, left = places[i].row * BLOCK_PX - margin, places[i].col * BLOCK_PX - margin
            found = read_week(excerpt, wanted, week, top, left, side)
            held[i] = not past or any(np.isfinite(v).any() if v.dtype.kind == "f" else v.any() for v in found.values())
            for name, values in found.items():
                if held[i] and values.any():
                    layers[name][i] = values
            if not past:
                labels[i] = excerpt.labels(top, left, side, side) * (layers["msi_10m"][i] > 0).all(axis=-1)

    with ThreadPoolExecutor(READERS) as readers:
        for _ in readers.map(read_group, group_places(places, margin)):
            pass
    kept = np.flatnonzero(held)
    if len(kept) < len(places):
        for values in (labels, *layers.values()):
            for number, i in enumerate(kept):
                if number != i:
                    values[number] = values[i]  # in place: a copy would not fit beside it
    layers = {name: values[: len(kept)] for name, values in layers.items()}
    fine, coarse = layers.pop("msi_10m"), layers.pop("msi_20m")
    return Windows(tuple(places[i] for i in kept), fine, coarse, labels[: len(kept)], margin, layers)


def _shapes(bands: Mapping[str, tuple[str, ...]], side: int) -> dict[str, tuple[int, ...]]:
    sides = {"msi_10m": side, "msi_20m": side // 2, "msi_60m": side // 2, "olci_300m": OLCI_PX}
    return {name: (sides[name], sides[name], len(of)) for name, of in bands.items() if of}


def read_in_batches(
    cube: TrainingCube, places: Sequence[Place], size: int, inputs: ModelInputs, margin: int = MARGIN_PX
) -> Iterator[Windows]:
    """Read windows a few at a time."""
    for start in range(0, len(places), size):
        yield read_windows(cube, places[start : start + size], inputs, margin)
