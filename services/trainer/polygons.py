"""Label polygons on both sides of a split: a network remembers those that it has seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from services.trainer.places import Place
from services.trainer.reading import MARGIN_PX, TrainingCube
from services.trainer.split import BLOCK_PX, trainable
from services.trainer.windows import Windows
from shared.area.training import TrainingSettings
from shared.stage.declare import RejectScene

Array = npt.NDArray[Any]


class PolygonSet:
    """A set of polygon numbers, as a table by number: 2.4 million polygons are 2.4 MB."""

    def __init__(self) -> None:
        self._held: Array = np.zeros(1, bool)

    def add(self, numbers: Array) -> None:
        """Take polygons in: uint32, any shape; 0 is none."""
        highest = int(numbers.max(initial=0))
        if highest >= len(self._held):
            self._held = np.pad(self._held, (0, highest + 1 - len(self._held)))
        self._held[numbers] = True
        self._held[0] = False

    def holds(self, numbers: Array) -> Array:
        """Return which pixels are of these polygons: bool, of the shape of `numbers`."""
        known = np.minimum(numbers, len(self._held) - 1)
        found: Array = self._held[known] & (numbers == known)
        return found


def polygons_in(cube: TrainingCube, blocks: Array) -> PolygonSet:
    """Return the polygons that have a pixel in some blocks: bool (block row, block col)."""
    found = PolygonSet()
    for row, col in np.argwhere(blocks):
        found.add(cube.polygons(int(row) * BLOCK_PX, int(col) * BLOCK_PX, BLOCK_PX, BLOCK_PX))
    return found


def forbidden_polygons(cube: TrainingCube, tested: Array, settings: TrainingSettings) -> PolygonSet | None:
    """Return the polygons that reach into tested blocks: nothing is learned of them; None where the split allows it.

    Raises:
        RejectScene: nobody knows the polygons.
    """
    if settings.split != "polygons":
        return None
    if not cube.has_polygons:
        raise RejectScene(
            "training.split",
            "the cube holds no polygons of its labels, which were burned before there were any",
            "burn them again (`landstream reprocess rasterize`), or set `split: blocks`",
        )
    return polygons_in(cube, tested)


def learned_from(cube: TrainingCube, windows: Windows, targets: Array) -> PolygonSet:
    """Return the polygons that have a pixel with loss: targets uint8 (n, y, x), 0 = none."""
    found = PolygonSet()
    for polygons, target in zip(_of_windows(cube, windows.places, windows.margin), targets, strict=True):
        found.add(polygons[target > 0])
    return found


def add_learned(
    found: PolygonSet,
    cube: TrainingCube,
    places: Iterable[Place],
    tested: Array,
    buffer_px: int,
    kept: PolygonSet | None,
) -> None:
    """Add the polygons that windows which are no longer in memory could learn from, wherever it was clear.

    Args:
        found: is added to.
        cube: tells the polygons.
        places: of the windows.
        tested: bool (block row, block col): blocks that nothing is learned of.
        buffer_px: nor of pixels this near to them.
        kept: nor of these polygons.
    """
    side = BLOCK_PX + 2 * MARGIN_PX
    for row, col in sorted({(place.row, place.col) for place in places}):
        top, left = row * BLOCK_PX - MARGIN_PX, col * BLOCK_PX - MARGIN_PX
        numbers = cube.polygons(top, left, side, side) * trainable(tested, top, left, side, side, buffer_px)
        found.add(numbers if kept is None else numbers * ~kept.holds(numbers))


def in_windows(cube: TrainingCube, windows: Windows, polygons: PolygonSet | None) -> Array | None:
    """Return the pixels of windows that are of some polygons, bool (n, y, x); None where there is no such set."""
    if polygons is None:
        return None
    side = windows.labels.shape[1]
    found = np.zeros((len(windows.places), side, side), bool)
    for i, numbers in enumerate(_of_windows(cube, windows.places, windows.margin)):
        found[i] = polygons.holds(numbers)
    return found


def of_blocks(cube: TrainingCube, places: Sequence[Place]) -> Array:
    """Return the polygons of blocks without their margin: uint32 (n, y, x)."""
    return np.stack(list(_of_windows(cube, places, 0)))


def _of_windows(cube: TrainingCube, places: Sequence[Place], margin: int) -> Iterable[Array]:
    """Yield the polygons of windows: uint32 (y, x); labels are the same in all weeks."""
    side = BLOCK_PX + 2 * margin
    for place in places:
        yield cube.polygons(place.row * BLOCK_PX - margin, place.col * BLOCK_PX - margin, side, side)
