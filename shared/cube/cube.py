"""The open cube: read windows of one snapshot, write one transaction per scene."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property, partial
from typing import Any, Final, Literal

import icechunk
import numpy as np
import zarr
from numpy.typing import NDArray

from shared.area import Area, LabelScheme
from shared.cube.layout import (
    CHUNK_M,
    LEDGER_SLOTS,
    MSI,
    OLCI,
    bands_60m,
    create_coordinates,
    create_layers,
    label_layers,
    year_layers,
)
from shared.cube.repository import MAIN, one_at_a_time, open_repository
from shared.cube.sample import Sample, tile_window
from shared.cube.windows import Part, read_each, read_together
from shared.geo import TILE_M, Grid, TileIndex
from shared.items import tiles
from shared.items.sheets import Sheet
from shared.items.tiles import digest_ledger, sheet_window
from shared.observe.failpoint import failpoint
from shared.observe.logs import get_logger
from shared.raster.grid import Window
from shared.sensors import CUBE_BANDS

GROUPS: Final[Mapping[str, str]] = {tiles.MSI: MSI, tiles.OLCI: OLCI}
"""Sensor, as updates name it -> its group in a year."""

Change = Callable[[zarr.Group, Set[TileIndex] | None], None]
"""Merges into the arrays below a group: everything (None), or only in the tiles that another writer changed meanwhile,
where what was merged before is gone."""


def open_cube(location: str, area: Area, mode: Literal["read", "write"]) -> Cube:
    """Open the cube, made if absent.

    Args:
        location: the repository's folder, or `s3://BUCKET/PREFIX`.
        area: the study area.
        mode: `write` for the tiler alone.
    """
    return Cube(open_repository(location), location, area, mode)


class Cube:
    """A study area's cube, seen at the snapshot that was the newest when it was opened, or at another one."""

    def __init__(
        self,
        repository: icechunk.Repository,
        location: str,
        area: Area,
        mode: Literal["read", "write"],
        snapshot: str | None = None,
    ) -> None:
        self._repository, self._location, self._area, self._mode = repository, location, area, mode
        self._session = (
            repository.readonly_session(snapshot_id=snapshot) if snapshot else repository.readonly_session(MAIN)
        )
        self._arrays: dict[str, zarr.Array[Any]] = {}

    @property
    def snapshot(self) -> str:
        """Id of the snapshot that is read."""
        return str(self._session.snapshot_id)

    @property
    def zarr_store(self) -> Any:
        """The zarr store of the snapshot that is read, for xarray and others; read only."""
        return self._session.store

    @property
    def grid(self) -> Grid:
        """The area's grid."""
        return self._area.grid

    @property
    def scheme(self) -> LabelScheme:
        """The area's label scheme."""
        return self._area.labels

    def as_of(self, snapshot: str) -> Cube:
        """Return the same cube at another snapshot, to read.

        Raises:
            LookupError: there is no such snapshot, or no longer.
        """
        try:
            return Cube(self._repository, self._location, self._area, "read", snapshot)
        except icechunk.IcechunkError as error:
            raise LookupError(f"the cube has no snapshot {snapshot}") from error

    def keep(self, tag: str) -> None:
        """Keep the snapshot that is read under a tag; a tag that exists stays as it is."""
        if tag not in self._repository.list_tags():
            self._repository.create_tag(tag, snapshot_id=self.snapshot)

    @cached_property
    def _root(self) -> zarr.Group:
        return zarr.open_group(self._session.store, mode="r")

    def array(self, path: str) -> zarr.Array[Any] | None:
        """Return an array below the area's group, None where it does not exist yet."""
        # Opening an array takes as long as reading a tile of it.
        if path not in self._arrays and isinstance(found := self._root.get(f"{self._area.name}/{path}"), zarr.Array):
            self._arrays[path] = found
        return self._arrays.get(path)

    def paths(self) -> list[str]:
        """Return the paths of the arrays below the area's group that carry data (coordinates left out)."""
        group = self._root.get(self._area.name)
        if not isinstance(group, zarr.Group):
            return []
        coordinates = ("spatial_ref", "week", "y_", "x_", "wavelength_")
        found = [p for p, m in group.members(max_depth=None) if isinstance(m, zarr.Array)]
        return sorted(p for p in found if not p.rpartition("/")[2].startswith(coordinates))

    def chunks(self, path: str) -> list[tuple[int, ...]]:
        """Return the coordinates of the chunks that an array stores, ascending."""

        async def collect() -> list[tuple[int, ...]]:
            found = self._session.chunk_coordinates(f"/{self._area.name}/{path}")
            return [tuple(c) async for c in found]

        # A thread of its own: in a notebook a loop of events runs in the caller's, where no other may be run.
        with ThreadPoolExecutor(1) as thread:
            return sorted(thread.submit(lambda: asyncio.run(collect())).result())

    def years(self) -> list[int]:
        """ISO years that have arrays."""
        group = self._root.get(self._area.name)
        names = list(group.keys()) if isinstance(group, zarr.Group) else []
        return sorted(int(n) for n in names if n.isdigit())

    def weeks(self) -> list[str]:
        """Weeks that hold Sentinel-2 data, ascending."""
        return [
            f"{year}-W{week + 1:02d}"
            for year in self.years()
            for week in sorted({c[0] for c in self.chunks(f"{year}/{MSI}/scenes")})
            if self.observed(f"{year}-W{week + 1:02d}").any()
        ]

    def msi(self, week: str, y: int, x: int, ny: int, nx: int) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        """Read a window of Sentinel-2 values in the cube's encoding, 0 = not observed clear or outside the grid.

        Args:
            week: `2018-W23`.
            y: first row in 10 m px of the area's grid, even; may lie outside.
            x: first column, even.
            ny: rows, even.
            nx: columns, even.

        Returns:
            10 m bands uint16 (ny, nx, 4) and 20 m bands uint16 (ny / 2, nx / 2, 6).

        Raises:
            ValueError: an odd number.
        """
        fine, coarse = self._msi(week, Window(y, x, ny, nx))
        found = read_together(fine, coarse)
        return found[0], found[1]

    def msi_windows(
        self, places: Iterable[tuple[str, Window]]
    ) -> Iterator[tuple[NDArray[np.uint16], NDArray[np.uint16]]]:
        """Read many windows as `msi` does, in order, the next ones while one is used.

        Args:
            places: week and window in 10 m px, on 20 m pixels; taken as they are needed.
        """
        for found in read_each(self._msi(week, window) for week, window in places):
            yield found[0], found[1]

    def fine(self, week: str, window: Window) -> NDArray[np.uint16]:
        """Read the 10 m bands of a window alone, as `msi` does: uint16 (ny, nx, 4)."""
        return read_together(self._weekly("10m", week, window, 4))[0]

    def msi_60m(self, week: str, window: Window, bands: int) -> NDArray[np.uint16]:
        """Read the 60 m bands of a window of 60 m px: uint16 (ny, nx, bands), 0 = not observed or outside the grid."""
        return read_together(self._weekly("60m", week, window, bands))[0]

    def olci(self, week: str, window: Window) -> NDArray[np.float32]:
        """Read the radiances of a window of 300 m px: float32 (ny, nx, 21), NaN = not observed or outside the grid."""
        return read_together(self._olci(week, window))[0]

    def tile(self, row: int, col: int, week: str) -> Sample:
        """Read all that a tile holds in a week; see `Sample`.

        Args:
            row: of the tile, from 0.
            col: of the tile, from 0.
            week: `2018-W23`.

        Raises:
            IndexError: the grid has no such tile.
        """
        return next(self.tiles([(row, col, week)]))

    def tiles(self, places: Iterable[tuple[int, int, str]]) -> Iterator[Sample]:
        """Read many tiles as `tile` does, in order, the next ones while one is used.

        Args:
            places: row, column and week; taken as they are needed.

        Raises:
            IndexError: the grid has no such tile.
        """
        for found in read_each(self._sample(*place) for place in places):
            yield Sample(*found)

    def _sample(self, row: int, col: int, week: str) -> list[Part]:
        if not (0 <= row < self.grid.rows and 0 <= col < self.grid.cols):
            raise IndexError(f"tile {row},{col} is not one of {self.grid.rows} x {self.grid.cols}")
        fine = tile_window(row, col, 10)
        return [
            *self._msi(week, fine),
            self._weekly("60m", week, tile_window(row, col, 60), len(bands_60m(self._area))),
            self._olci(week, tile_window(row, col, 300)),
            self._labelled("class", fine, "uint8"),
        ]

    def _msi(self, week: str, window: Window) -> tuple[Part, Part]:
        y, x, ny, nx = window.y, window.x, window.ny, window.nx
        if y % 2 or x % 2 or ny % 2 or nx % 2:
            raise ValueError(f"window {(y, x, ny, nx)} does not lie on 20 m pixels")
        halved = Window(y // 2, x // 2, ny // 2, nx // 2)
        return self._weekly("10m", week, window, 4), self._weekly("20m", week, halved, 6)

    def _weekly(self, name: str, week: str, window: Window, bands: int) -> Part:
        year, index = split_week(week)
        return Part(self.array(f"{year}/{MSI}/{name}"), (index,), window, (bands,), "uint16")

    def _olci(self, week: str, window: Window) -> Part:
        year, index = split_week(week)
        bands = len(CUBE_BANDS["300m"])
        return Part(self.array(f"{year}/{OLCI}/300m"), (index,), window, (bands,), "float32", np.nan)

    def labels(self, y: int, x: int, ny: int, nx: int) -> NDArray[np.uint8]:
        """Read a window of classes uint8 (ny, nx) at 10 m, 0 = unlabelled or outside the grid."""
        return read_together(self._labelled("class", Window(y, x, ny, nx), "uint8"))[0]

    def label_confidence(self, y: int, x: int, ny: int, nx: int) -> NDArray[np.uint8]:
        """Read how far the pixels of a window lie from the edge of their class: uint8 (ny, nx) in 10 m px.

        255 = that far or farther; 0 = unlabelled, outside the grid, or not in the cube (see `has_polygons`).
        """
        return read_together(self._labelled("confidence", Window(y, x, ny, nx), "uint8"))[0]

    def polygons(self, y: int, x: int, ny: int, nx: int) -> NDArray[np.uint32]:
        """Read which polygon each pixel of a window was labelled by: uint32 (ny, nx) at 10 m.

        Numbers follow the order of the delivery; 0 = unlabelled, outside the grid, or not in the cube (see
        `has_polygons`).
        """
        return read_together(self._labelled("polygon", Window(y, x, ny, nx), "uint32"))[0]

    @property
    def has_polygons(self) -> bool:
        """Whether the cube holds the polygons and the confidence of its labels: those burned before hold neither."""
        path = f"labels/{self.scheme.scheme}/polygon"
        return self.array(path) is not None and bool(self.chunks(path))

    def _labelled(self, name: str, window: Window, dtype: str) -> Part:
        return Part(self.array(f"labels/{self.scheme.scheme}/{name}"), (), window, (), dtype)

    def observed(self, week: str) -> NDArray[np.bool_]:
        """Return the tiles (row, col) that hold any Sentinel-2 data in a week."""
        seen: NDArray[np.bool_] = self.ledger(week)[..., 0] != 0
        return seen

    def ledger(self, week: str, sensor: str = MSI) -> NDArray[np.uint64]:
        """Return the numbers of the products merged into each tile: uint64 (row, col, 32), ascending, then zeros."""
        year, index = split_week(week)
        array = self.array(f"{year}/{sensor}/scenes")
        shape = (self.grid.rows, self.grid.cols, LEDGER_SLOTS)
        return np.zeros(shape, np.uint64) if array is None else np.asarray(array[index])

    def ledger_digest(self, sheet: Sheet, week: str, sensor: str) -> str:
        """Return the digest of a sensor's ledger over a sheet and its one-tile halo; see `shared.items.tiles`."""
        rows, cols = sheet_window(sheet, self.grid)
        return digest_ledger(self.ledger(week, GROUPS[sensor])[rows.start : rows.stop, cols.start : cols.stop])

    def write_year(self, year: int, change: Change, message: str) -> None:
        """Run `change` on the group of an ISO year, whose arrays are made if absent, in one transaction.

        Nothing is committed where it changed nothing. Where another writer committed meanwhile, its chunks stand,
        `change` is run again for their tiles alone, and also where none of them is the same: what it found out before
        may no longer be so.

        Args:
            year: ISO year.
            change: merges into the arrays below the group.
            message: what the snapshot is.

        Raises:
            RuntimeError: the cube was opened for reading.
        """
        self._write(str(year), f"{year}/{OLCI}/scenes", partial(self._create_year, year), change, message)

    def write_labels(self, change: Change, message: str) -> None:
        """Run `change` on the group of the area's label scheme in one transaction; see `write_year`."""
        scheme = f"labels/{self.scheme.scheme}"
        self._write(scheme, f"{scheme}/polygon", self._create_labels, change, message)

    def _write(
        self, path: str, last: str, create: Callable[[icechunk.IcechunkStore], None], change: Change, message: str
    ) -> None:
        """Run `change` on a group in one transaction.

        Args:
            path: the group's, below the area's.
            last: path of the array that is made last: where it exists, all do.
            create: makes the arrays.
            change: merges into them.
            message: what the snapshot is.
        """
        if self._mode != "write":
            raise RuntimeError("the cube was opened for reading")
        with one_at_a_time(self._location):
            self._bootstrap(last, create, path)
            session, again = self._repository.writable_session(MAIN), None
            while True:
                change(zarr.open_group(session.store, mode="r+", path=f"{self._area.name}/{path}"), again)
                if not session.has_uncommitted_changes:
                    break
                failpoint("cube.before_commit")
                try:
                    session.commit(message)
                except icechunk.ConflictError:
                    again = self._take_theirs(session)
                    if again is None:
                        session = self._repository.writable_session(MAIN)
                    get_logger().info("another writer committed", again="all" if again is None else len(again))
                    continue
                failpoint("cube.after_commit")
                break
        self._session = self._repository.readonly_session(MAIN)
        self.__dict__.pop("_root", None)
        self._arrays.clear()

    def _take_theirs(self, session: icechunk.Session) -> set[TileIndex] | None:
        """Put a session on the newest snapshot, whose chunks stand where both changed one.

        Returns:
            The tiles of these chunks; None = the changes cannot be combined, and everything is to be done again.
        """
        before, ours = session.snapshot_id, session.status().updated_chunks
        try:
            session.rebase(icechunk.BasicConflictSolver(on_chunk_conflict=icechunk.VersionSelection.UseTheirs))
        except icechunk.RebaseFailedError:
            return None
        difference = self._repository.diff(from_snapshot_id=before, to_snapshot_id=session.snapshot_id)
        theirs, tiles = difference.updated_chunks, set[TileIndex]()
        for path, chunks in ours.items():
            if "/labels/" in path:
                continue  # labels are written as a whole
            both = {tuple(c) for c in chunks} & {tuple(c) for c in theirs.get(path, ())}
            tiles |= {t for chunk in both for t in tiles_of_chunk(path, chunk, self.grid)}
        return tiles

    def _bootstrap(self, last: str, create: Callable[[icechunk.IcechunkStore], None], what: str) -> None:
        """Create arrays in a transaction of its own, unless they exist."""
        while True:
            session = self._repository.writable_session(MAIN)
            if f"{self._area.name}/{last}" in zarr.open_group(session.store, mode="a"):
                return
            create(session.store)
            failpoint("cube.before_bootstrap")
            with suppress(icechunk.ConflictError):  # another writer was faster, perhaps with the same arrays
                session.commit(f"arrays of {what}")

    def _create_year(self, year: int, store: icechunk.IcechunkStore) -> None:
        area, group = self._area, f"{self._area.name}/{year}"
        create_layers(store, year_layers(area, year))
        create_coordinates(store, area, f"{group}/{MSI}", year, {"10m": 10, "20m": 20, "60m": 60})
        create_coordinates(store, area, f"{group}/{OLCI}", year, {"300m": 300})

    def _create_labels(self, store: icechunk.IcechunkStore) -> None:
        area = self._area
        create_layers(store, label_layers(area))
        create_coordinates(store, area, f"{area.name}/labels/{area.labels.scheme}", None, {"10m": 10})


def tiles_of_chunk(path: str, chunk: tuple[int, ...], grid: Grid) -> Iterator[TileIndex]:
    """List the tiles that a chunk of a weekly array shares area with.

    Args:
        path: the array's path.
        chunk: its index along each axis (week, y, x, ...).
        grid: the area's grid.
    """
    extent_m = CHUNK_M[path.rpartition("/")[2].split("_")[0]]
    y, x = chunk[1:3]

    def span(index: int, count: int) -> range:
        return range(index * extent_m // TILE_M, min(count, -(-(index + 1) * extent_m // TILE_M)))

    for row in span(y, grid.rows):
        for col in span(x, grid.cols):
            yield TileIndex(row, col)


def split_week(week: str) -> tuple[int, int]:
    """Return (ISO year, 0-based index along the week axis) of `2018-W23`."""
    return int(week[:4]), int(week[6:]) - 1
