"""The open cube: windows, transactions, and what a conflict concerns."""

from __future__ import annotations

import time
from collections.abc import Set
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Semaphore

import numpy as np
import pytest
import zarr

from shared.area import Area, load_area
from shared.cube import open_cube
from shared.cube.cube import tiles_of_chunk
from shared.geo import TileIndex
from shared.raster.grid import Window
from tests.conftest import AREAS

WEEK = 25


@pytest.fixture(scope="module")
def area() -> Area:
    return load_area(AREAS / "small.yaml")


def test_a_year_and_the_labels_are_written(area: Area, tmp_path: Path) -> None:
    cube = open_cube(str(tmp_path / "cube"), area, "write")

    def fill(group: zarr.Group, again: Set[TileIndex] | None) -> None:
        group["Sentinel-2/MSI/10m"][WEEK, :256, 256:512] = 7  # type: ignore[index]
        group["Sentinel-2/MSI/scenes"][WEEK, 0, 1, 0] = 9  # type: ignore[index]

    def label(group: zarr.Group, again: Set[TileIndex] | None) -> None:
        group["class"][:2] = 3  # type: ignore[index]

    cube.write_year(2018, fill, "a scene")
    before = cube.snapshot
    cube.write_labels(label, "labels")
    assert cube.weeks() == ["2018-W26"]
    assert np.argwhere(cube.observed("2018-W26")).tolist() == [[0, 1]]
    fine, coarse = cube.msi("2018-W26", -2, 254, 4, 4)
    assert fine[..., 0].tolist() == [[0] * 4, [0] * 4, [0, 0, 7, 7], [0, 0, 7, 7]]
    assert not coarse.any()
    assert cube.labels(1, 0, 2, 2).tolist() == [[3, 3], [0, 0]]
    with pytest.raises(ValueError, match="20 m pixels"):
        cube.msi("2018-W26", 1, 0, 2, 2)
    places = [(1, 2), (0, 1), (3, 3)]
    samples = list(cube.tiles((row, col, "2018-W26") for row, col in places))
    assert [int(sample.msi_10m.max()) for sample in samples] == [0, 7, 0]
    assert [int(sample.labels.max()) for sample in samples] == [0, 3, 0]
    windows = [("2018-W26", Window(-2, 254, 4, 4)), ("2018-W27", Window(0, 256, 2, 2))]
    for (week, w), found in zip(windows, cube.msi_windows(windows), strict=True):
        for one, other in zip(found, cube.msi(week, w.y, w.x, w.ny, w.nx), strict=True):
            np.testing.assert_array_equal(one, other)
    with pytest.raises(IndexError, match="4,0 is not one of 4 x 4"):
        next(cube.tiles([(4, 0, "2018-W26")]))

    assert cube.snapshot != before
    after = cube.snapshot
    cube.write_labels(lambda group, again: None, "nothing")
    assert cube.snapshot == after, "an empty change commits nothing"


def test_an_earlier_snapshot_can_be_read_again(area: Area, tmp_path: Path) -> None:
    cube = open_cube(str(tmp_path / "cube"), area, "write")
    cube.write_year(2018, lambda group, again: None, "arrays")
    before = cube.snapshot
    cube.write_year(2019, lambda group, again: None, "arrays")
    earlier = open_cube(str(tmp_path / "cube"), area, "read").as_of(before)
    assert earlier.snapshot == before != cube.snapshot
    assert (earlier.years(), cube.years()) == ([2018], [2018, 2019])
    with pytest.raises(RuntimeError, match="opened for reading"):
        cube.as_of(before).write_labels(lambda group, again: None, "labels")
    other = open_cube(str(tmp_path / "other"), area, "write")
    other.write_year(2018, lambda group, again: None, "arrays")
    for gone in (other.snapshot, "nonsense"):
        with pytest.raises(LookupError, match="no snapshot"):
            cube.as_of(gone)


def test_who_reads_does_not_write(area: Area, tmp_path: Path) -> None:
    open_cube(str(tmp_path / "cube"), area, "write")
    with pytest.raises(RuntimeError, match="opened for reading"):
        open_cube(str(tmp_path / "cube"), area, "read").write_labels(lambda group, again: None, "labels")


def test_tiles_of_a_chunk(area: Area) -> None:
    grid = area.grid
    assert (grid.rows, grid.cols) == (4, 4)
    assert list(tiles_of_chunk("small/2018/Sentinel-2/MSI/20m_source", (WEEK, 1, 2), grid)) == [TileIndex(1, 2)]
    assert len(list(tiles_of_chunk("small/2018/Sentinel-2/MSI/60m", (WEEK, 0, 0, 0), grid))) == 9
    assert list(tiles_of_chunk("small/2018/Sentinel-2/MSI/60m", (WEEK, 1, 1, 0), grid)) == [TileIndex(3, 3)]
    assert len(list(tiles_of_chunk("small/2018/Sentinel-2/MSI/scenes", (WEEK, 0, 0, 0), grid))) == 16
    # 9,600 m are 3.75 tiles: the next chunk begins within the fourth.
    ends = list(tiles_of_chunk("small/2018/Sentinel-3/OLCI/300m_rank", (WEEK, 0, 1), grid))
    assert [t.col for t in ends] == [3] * 4


def test_two_writers_of_a_folder_come_one_after_the_other(area: Area, tmp_path: Path) -> None:
    """The lock of the folder: none meets the other's commit, and nothing of either is lost."""
    location, again_of = str(tmp_path / "cube"), list[object]()
    open_cube(location, area, "write").write_year(2018, lambda group, again: None, "arrays")
    inside, together = Semaphore(1), Barrier(2)

    def write(number: int) -> None:
        cube = open_cube(location, area, "write")
        together.wait()

        def change(group: zarr.Group, again: Set[TileIndex] | None) -> None:
            assert inside.acquire(blocking=False), "two writers at once"
            again_of.append(again)
            ledger = group["Sentinel-2/MSI/scenes"]
            held = [int(n) for n in ledger[WEEK, 0, 0] if n]  # type: ignore[index]
            time.sleep(0.2)
            ledger[WEEK, 0, 0, : len(held) + 1] = sorted([*held, number])  # type: ignore[index]
            inside.release()

        cube.write_year(2018, change, f"scene {number}")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, (7, 5)))
    assert again_of == [None, None]
    cube = open_cube(location, area, "read")
    assert cube.ledger("2018-W26")[0, 0, :3].tolist() == [5, 7, 0]
    assert not cube.ledger("2018-W27").any()
    assert not cube.ledger("2019-W01").any(), "a year without arrays"
    assert cube.observed("2018-W26").sum() == 1
