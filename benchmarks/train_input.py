"""What training waits for: windows of the cube in the graph, against a generator over zarr-python.

The peer (`tf.data.Dataset.from_generator`) reads each window in an order of chance, as such loops do, from plain zarr
arrays of the same chunks; ours reads the same windows as a round of the trainer, neighbours together, and hands them
over in batches. Once from a folder, and once where each request takes `--latency-ms` longer (on both sides, within the
zarr store: nothing else is simulated). Then a U-Net of the default size learns from patches of one round while the next
one is read: which share of the time does an update wait for its batch?
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from zarr.storage import LocalStore

from benchmarks.distant import Distant, DistantCube
from benchmarks.race import Peer, Race, run, table
from services.trainer.determinism import pin, set_environment
from shared.area import Area
from shared.cube import Cube, open_cube
from shared.cube.layout import COMPRESSOR
from shared.geo import TILE_10M_PX, TILE_20M_PX
from shared.items.model_inputs import ModelInputs

ROWS = 8
WEEKS = ("2018-W21", "2018-W22")
BATCH = 4
CLASSES = 5

Array = npt.NDArray[Any]


def main() -> None:
    """Fill both, check that they agree, then race."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--latency-ms", type=float, default=20)
    parser.add_argument("--epochs", type=int, default=3, help="epochs of the U-Net that wait for their batches")
    options = parser.parse_args()
    set_environment()
    pin(0)
    grid = {"epsg": 32634, "origin_x_m": 600_000, "origin_y_m": 5_100_000, "rows": ROWS, "cols": ROWS}
    area = Area.model_validate(
        {"name": "tiles", "aoi": [22.3, 46, 22.4, 46.1], "grid": grid, "labels": "clc-level1", "label_year": 2018,
         "years": [2018]}
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        plain = fill(Path(folder), area)
        cube = DistantCube.opened(f"{folder}/cube", area)
        for latency_ms in (0.0, options.latency_ms):
            Distant.latency_s = latency_ms / 1000
            ours, peer = (lambda: list(windows_of(cube))), (lambda: list(loop(plain)))
            what = f"train: {(2 * ROWS) ** 2} windows of 192 px, {latency_ms:.0f} ms more for each request"
            goal = 10 if latency_ms else 4
            peers = [Peer("from_generator, zarr-python", peer, goal, _alike, "zarr")]
            print("\n".join(table(run(Race(what, ours, peers), options.rounds))))
        Distant.latency_s = 0.0
        wait(cube, area, options.epochs)


def _alike(mine: Iterable[Any], other: Iterable[Any]) -> bool:
    return checksum(mine) == checksum(other)


def fill(folder: Path, area: Area) -> dict[str, zarr.Array[Any]]:
    """Fill a cube and plain zarr arrays with the same."""
    rng = np.random.default_rng(0)
    sides = {"10m": (TILE_10M_PX, 4), "20m": (TILE_20M_PX, 6)}
    scene = {}
    for name, (tile, bands) in sides.items():
        smooth = 2000 + 800 * np.sin(np.arange(ROWS * tile) / 40)[:, None, None]
        scene[name] = (smooth + rng.normal(0, 30, (ROWS * tile, ROWS * tile, bands))).astype(np.uint16)
    labels = rng.integers(1, CLASSES + 1, (ROWS * 8, ROWS * 8)).astype(np.uint8).repeat(32, 0).repeat(32, 1)
    cube = open_cube(f"{folder}/cube", area, "write")

    def fill_weeks(group: zarr.Group, again: object) -> None:
        for week in WEEKS:
            for name, values in scene.items():
                group[f"Sentinel-2/MSI/{name}"][int(week[-2:]) - 1] = values  # type: ignore[index]

    def fill_labels(group: zarr.Group, again: object) -> None:
        group["class"][:] = labels  # type: ignore[index]

    cube.write_year(2018, fill_weeks, "weeks")
    cube.write_labels(fill_labels, "labels")
    plain = {}
    layers: dict[str, tuple[Array, int]] = {
        **{name: (values, sides[name][0]) for name, values in scene.items()}, "labels": (labels, TILE_10M_PX)
    }  # fmt: skip
    for name, (values, tile) in layers.items():
        plain[name] = zarr.create_array(
            Distant(LocalStore(folder / name)),
            shape=values.shape,
            chunks=(tile, tile, *values.shape[2:]),
            dtype=values.dtype,
            compressors=COMPRESSOR,
        )
        plain[name][:] = values
    return plain


def windows_of(cube: Cube) -> Iterator[Any]:
    """Yield the windows of a week in batches of tensors, as the trainer reads a round."""
    from services.trainer.augment import Batch
    from services.trainer.feed import fed
    from services.trainer.places import list_rounds
    from services.trainer.reading import read_windows

    blocks, tiles = np.ones((2 * ROWS, 2 * ROWS), bool), np.ones((ROWS, ROWS), bool)
    for places in list_rounds(blocks, {WEEKS[0]: tiles}, 10**6, 1, 0):
        found = read_windows(cube, places, ModelInputs())
        order = np.random.default_rng(0).permutation(len(places)).reshape(-1, BATCH)
        none = np.zeros((BATCH, *found.labels.shape[1:]), bool)
        yield from fed(Batch((found.msi_10m[i], found.msi_20m[i]), found.labels[i], none) for i in order)


def loop(plain: Mapping[str, zarr.Array[Any]]) -> Iterable[Any]:
    """Return the same windows as a generator over zarr-python reads them, one by one."""
    import tensorflow as tf

    side = 192

    def windows() -> Iterator[tuple[tuple[Array, Array], Array, Array]]:
        for at in np.random.default_rng(0).permutation((2 * ROWS) ** 2):
            top, left = (int(n) * 128 - 32 for n in divmod(at, 2 * ROWS))
            fine, coarse = np.zeros((side, side, 4), np.uint16), np.zeros((side // 2, side // 2, 6), np.uint16)
            labels = np.zeros((side, side), np.uint8)
            for name, out, scale in (("10m", fine, 1), ("20m", coarse, 2), ("labels", labels, 1)):
                y, x = top // scale, left // scale
                rows, cols = slice(max(y, 0), y + len(out)), slice(max(x, 0), x + len(out))
                part: Any = plain[name][rows, cols]
                out[max(-y, 0) :, max(-x, 0) :][: part.shape[0], : part.shape[1]] = part
            yield (fine, coarse), labels, np.zeros((side, side), bool)

    specs = (
        (tf.TensorSpec((side, side, 4), tf.uint16), tf.TensorSpec((side // 2, side // 2, 6), tf.uint16)),
        tf.TensorSpec((side, side), tf.uint8),
        tf.TensorSpec((side, side), tf.bool),
    )
    return tf.data.Dataset.from_generator(windows, output_signature=specs).batch(BATCH).prefetch(2)


def checksum(batches: Iterable[Any]) -> list[int]:
    """Return the sums of what was delivered, whatever its order."""
    sums = np.zeros(3, np.int64)
    for (fine, coarse), labels, _ in batches:
        sums += [int(values.numpy().sum(dtype=np.int64)) for values in (fine, coarse, labels)]
    return [int(n) for n in sums]


def wait(cube: Cube, area: Area, epochs: int) -> None:
    """Learn with a network of the default size, and tell which share of the time updates waited for their batches."""
    from services.trainer import descend
    from services.trainer.descend import fed
    from services.trainer.fit import fit
    from services.trainer.ground import Ground
    from services.trainer.places import list_rounds
    from services.trainer.reading import read_windows
    from services.trainer.rounds import Round, Rounds
    from shared.area.training import TrainingSettings

    settings = TrainingSettings(architecture="unet", epochs=epochs)
    waited: list[float] = []

    def timed(batches: Iterable[Any]) -> Iterator[Any]:
        each = iter(fed(batches))
        while True:
            start = time.perf_counter()
            batch = next(each, None)
            waited.append(time.perf_counter() - start)
            if batch is None:
                return
            yield batch

    def read(places: Any) -> Round:
        windows = read_windows(cube, places, ModelInputs())
        return Round(windows, Ground(windows.labels))

    blocks, tiles = np.ones((2 * ROWS, 2 * ROWS), bool), np.ones((ROWS, ROWS), bool)
    first, *others = list_rounds(blocks, dict.fromkeys(WEEKS, tiles), settings.steps * settings.batch, 99, 0)
    first_round = read(first)
    starts: list[float] = []

    def report(done: int, total: int, losses: object) -> None:
        starts.append(time.perf_counter())

    descend.fed = timed
    with Rounds(first_round, others, read, settings.steps * settings.batch) as rounds:
        fit(first_round.windows, first_round.ground, CLASSES, settings, ModelInputs(), 0, report, rounds=rounds)
    descend.fed = fed
    # The first epoch traces the network; it is left out.
    skipped = settings.steps + 1
    share = sum(waited[skipped:]) / (starts[-1] - starts[1])
    print(
        f"U-Net of {settings.filters} filters, {settings.batch} patches of {settings.patch_px} px: {epochs - 1} epochs"
    )
    print(f"  an update waited for its batch {100 * share:.2f} % of its time")


if __name__ == "__main__":
    main()
