"""How much memory a training takes on a large area: 64 x 64 tiles in 20 weeks, 1.3 million windows of ten bands.

The cube is a stand-in that makes each window as it is asked for, so that no 60 GB need be written: what it holds itself
is a landscape of 4 x 4 tiles, laid out again and again, with polygons of their own each time. All else is the trainer's
process as the stage starts it: the hold-out, rounds of windows, networks, folds, baselines, the card. Fewer epochs than
the default are run, of which as many rounds are read as are held at once; memory does not grow with more.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from services.trainer.item import write_split
from services.trainer.split import deal_holdout
from services.trainer.stage import STAGE
from shared.area import Area
from shared.area.area import parse_area
from shared.geo import TILE_10M_PX
from shared.items.item import Item
from shared.stage.declare import Job, LocalItem, Scratch, Task
from shared.stage.source import Source

Array = npt.NDArray[Any]

LIMIT_GB = 4.0
PATTERN_TILES = 4
FIRST_WEEK = 14


class Repeated:
    """A landscape of a few tiles, repeated over an area: what training reads of `shared.cube.Cube`.

    Args:
        area: the study area.
        weeks: how many hold data, each with a tenth of the tiles under clouds.
    """

    snapshot = "REPEATED"
    has_polygons = True

    def __init__(self, area: Area, weeks: int) -> None:
        self.grid, self.scheme = area.grid, area.labels
        self._weeks = [f"2018-W{FIRST_WEEK + n}" for n in range(weeks)]
        rng, side = np.random.default_rng(0), PATTERN_TILES * TILE_10M_PX
        fields = rng.integers(1, len(area.labels.classes) + 1, (side // 32, side // 32))
        self._truth = fields.repeat(32, axis=0).repeat(32, axis=1).astype(np.uint8)
        self._numbers = np.arange(1, fields.size + 1, dtype=np.uint32).reshape(fields.shape)
        self._numbers = self._numbers.repeat(32, axis=0).repeat(32, axis=1)
        spectra = rng.integers(1500, 5000, (len(area.labels.classes) + 1, 10))
        self._fine = (spectra[self._truth, :4] + rng.normal(0, 400, (side, side, 4))).astype(np.uint16)
        coarse = self._truth[::2, ::2]
        self._coarse = (spectra[coarse, 4:] + rng.normal(0, 400, (*coarse.shape, 6))).astype(np.uint16)
        clear = rng.random((weeks, self.grid.rows, self.grid.cols)) < 0.9
        self._observed = dict(zip(self._weeks, clear, strict=True))

    def keep(self, tag: str) -> None:
        """Keep the snapshot of a name: nothing, here."""

    def weeks(self) -> list[str]:
        """Return the weeks with data, ascending."""
        return list(self._weeks)

    def observed(self, week: str) -> Array:
        """Return the tiles with data: bool (tile row, tile col)."""
        seen: Array = self._observed[week]
        return seen

    def ledger_digest(self, sheet: tuple[int, int], week: str, sensor: str) -> str:
        """Return the digest of what was merged into a sheet."""
        return f"{sheet[0]:04x}{sheet[1]:04x}{int(week[:4]):04x}{int(week[6:]):04x}"

    def msi(self, week: str, y: int, x: int, ny: int, nx: int) -> tuple[Array, Array]:
        """Return a window of stored values, uint16 (y, x, band) at 10 and 20 m; 0 = not observed."""
        seen = self._inside(y, x, ny, nx) & self._seen(week, y, x, ny, nx)
        fine = _cut(self._fine, y, x, ny, nx) * seen[..., None]
        coarse = _cut(self._coarse, y // 2, x // 2, ny // 2, nx // 2) * seen[::2, ::2, None]
        return fine, coarse

    def labels(self, y: int, x: int, ny: int, nx: int) -> Array:
        """Return a window of labels, uint8 (y, x)."""
        return _cut(self._truth, y, x, ny, nx) * self._inside(y, x, ny, nx)

    def label_confidence(self, y: int, x: int, ny: int, nx: int) -> Array:
        """Return a window of the distance to the class edge, uint8 (y, x)."""
        return np.uint8(16) * self._inside(y, x, ny, nx)

    def polygons(self, y: int, x: int, ny: int, nx: int) -> Array:
        """Return a window of the numbers of polygons, uint32 (y, x), others in each repetition."""
        side = PATTERN_TILES * TILE_10M_PX
        row, col = (np.arange(y, y + ny) // side)[:, None], np.arange(x, x + nx) // side
        repetition = ((row * 64 + col) * self._numbers.max()).astype(np.uint32)
        numbers: Array = (_cut(self._numbers, y, x, ny, nx) + repetition) * self._inside(y, x, ny, nx)
        return numbers

    def _inside(self, y: int, x: int, ny: int, nx: int) -> Array:
        height, width = self.grid.shape_px(10)
        rows, cols = np.arange(y, y + ny), np.arange(x, x + nx)
        inside: Array = ((rows >= 0) & (rows < height))[:, None] & (cols >= 0) & (cols < width)
        return inside

    def _seen(self, week: str, y: int, x: int, ny: int, nx: int) -> Array:
        rows = np.clip(np.arange(y, y + ny) // TILE_10M_PX, 0, self.grid.rows - 1)
        cols = np.clip(np.arange(x, x + nx) // TILE_10M_PX, 0, self.grid.cols - 1)
        seen: Array = self._observed[week][np.ix_(rows, cols)]
        return seen


def _cut(pattern: Array, y: int, x: int, ny: int, nx: int) -> Array:
    """Return a window of a pattern that is repeated without end."""
    rows, cols = range(y, y + ny), range(x, x + nx)
    window: Array = pattern.take(rows, axis=0, mode="wrap").take(cols, axis=1, mode="wrap")
    return window


def area_of(tiles: int, epochs: int, folds: int) -> Area:
    """Return an area of so many tiles in a square, with the default networks."""
    return parse_area(
        {
            "name": "large",
            "aoi": [13.0, 52.3, 13.1, 52.4],
            "grid": {"epsg": 32633, "origin_x_m": 330_000, "origin_y_m": 5_822_040, "rows": tiles, "cols": tiles},
            "level": "l2a",
            "labels": "clc-level1",
            "label_year": 2018,
            "years": [2018],
            "training": {"epochs": epochs, "folds": folds},
        },
        "train_memory.py",
    )


def task_of(area: Area, cube: Any, folder: Path) -> Task[Any]:
    """Return the job of a training, with a hold-out dealt from the labels."""
    from services.trainer.deal import count_labels

    request = Item({"id": "request--v1-00000001", "collection": "training-requests", "properties": {}}, "static")
    parameters = {"cube_state": "0" * 64, "training": area.training.model_dump(mode="json")}
    job = Job("models", area.name, "static", (Source(request, ()),), parameters)
    blocks = folder / "hold-out.json"
    blocks.write_text(write_split(area, deal_holdout(count_labels(cube, len(area.labels.classes)))))
    hold_out = Item({"id": "clc-1--v1-00000001", "collection": "hold-outs", "properties": {}}, "static")
    context = (LocalItem(hold_out, {"hold_out": blocks}),)

    def report(done: int, total: int, of: str = "", **_: float | None) -> None:
        print(f"{done} of {total} {of}, peak {peak_gb():.2f} GB", flush=True)

    return Task(job, (), context, None, area, STAGE.settings(), folder, cube, report, Scratch())


def peak_gb() -> float:
    """Return the most memory that this process held, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def main() -> None:
    """Train once, and say what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiles", type=int, default=64, help="side of the area in tiles (default: 64)")
    parser.add_argument("--weeks", type=int, default=20, help="weeks with data (default: 20)")
    parser.add_argument("--epochs", type=int, default=24, help="epochs (default: 24, as the area file's)")
    parser.add_argument("--folds", type=int, default=2, help="folds (default: 2)")
    given = parser.parse_args()

    from services.trainer.determinism import set_environment

    set_environment()
    from services.trainer.process import process

    area = area_of(given.tiles, given.epochs, given.folds)
    cube = Repeated(area, given.weeks)
    own_gb, begun_s = peak_gb(), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        made = process(task_of(area, cube, Path(folder)))
        windows = made.properties["landstream:windows"]
    said = {
        "tiles": given.tiles**2,
        "weeks": given.weeks,
        "windows": windows,
        "seconds": round(time.perf_counter() - begun_s),
        "peak_gb": round(peak_gb(), 2),
        "of_these_the_stand_in_gb": round(own_gb, 2),
        "below_limit": peak_gb() < LIMIT_GB * 1.073741824,
    }
    print(json.dumps(said))


if __name__ == "__main__":
    main()
