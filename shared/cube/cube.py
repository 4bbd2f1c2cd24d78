"""The open cube: read windows of one snapshot, write one transaction a scene."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

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
    create_coordinates,
    create_layers,
    label_layers,
    year_layers,
)
from shared.geo import TILE_M, Grid, TileIndex
from shared.items.sheets import Sheet
from shared.items.tiles import digest_ledger, sheet_window
from shared.observe.failpoint import failpoint
from shared.observe.logs import get_logger

MAIN = "main"

# Its warning that a folder is not safe for concurrent commits goes to standard output: the lock sees to that.
icechunk.set_logs_filter("error")


Change = Callable[[zarr.Group, Set[TileIndex] | None], None]
"""Merges into the arrays below the area's group: everything (None), or only in the tiles that another writer changed
meanwhile, where what was merged before is gone."""


def open_cube(location: str, area: Area, mode: Literal["read", "write"]) -> Cube:
    """Open the cube, made if absent.

    Args:
        location: the repository's folder, or `s3://BUCKET/PREFIX`.
        area: the study area.
        mode: `write` for the tiler alone.
    """
    return Cube(_repository(location), location, area, mode)


def _repository(location: str) -> icechunk.Repository:
    config = icechunk.RepositoryConfig.default()
    # A week's manifest is read and rewritten alone, however many years the cube holds.
    split = icechunk.ManifestSplittingConfig.from_dict(
        {icechunk.ManifestSplitCondition.AnyArray(): {icechunk.ManifestSplitDimCondition.DimensionName("week"): 1}}
    )
    config.manifest = icechunk.ManifestConfig(splitting=split)
    storage = _storage(location)
    if icechunk.Repository.exists(storage):
        return icechunk.Repository.open(storage, config=config)
    with _one_at_a_time(location):
        try:
            return icechunk.Repository.open_or_create(storage, config=config)
        except icechunk.IcechunkError:  # two that create at once: the other was faster
            return icechunk.Repository.open(storage, config=config)


def _storage(location: str) -> icechunk.Storage:
    if "://" not in location:
        Path(location).mkdir(parents=True, exist_ok=True)
        return icechunk.local_filesystem_storage(location)
    # Its settings are the store's, and boto3 knows every place where keys may be.
    import boto3

    from shared.store.s3 import S3Settings

    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    settings, session = S3Settings(), boto3.session.Session()
    keys = session.get_credentials()
    found = keys.get_frozen_credentials() if keys else None
    return icechunk.s3_storage(
        bucket=bucket,
        prefix=prefix,
        region=settings.region,
        endpoint_url=settings.endpoint or None,
        allow_http=settings.endpoint.startswith("http://"),
        force_path_style=bool(settings.endpoint),
        access_key_id=found.access_key if found else None,
        secret_access_key=found.secret_key if found else None,
        session_token=found.token if found else None,
        from_env=None if found else True,
    )


@contextmanager
def _one_at_a_time(location: str) -> Iterator[None]:
    """The lock beside a cube's folder: Icechunk on a folder loses commits of concurrent writers, so they wait.

    On S3 commits are conditional writes, and writers need not wait.
    """
    if "://" in location:
        yield
        return
    folder = Path(location)
    with (folder.parent / f".{folder.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Cube:
    """A study area's cube, seen at the snapshot that was the newest when it was opened."""

    def __init__(
        self, repository: icechunk.Repository, location: str, area: Area, mode: Literal["read", "write"]
    ) -> None:
        self._repository, self._location, self._area, self._mode = repository, location, area, mode
        self._session = repository.readonly_session(MAIN)
        self._arrays: dict[str, zarr.Array[Any]] = {}

    @property
    def snapshot(self) -> str:
        """Id of the snapshot that is read."""
        return str(self._session.snapshot_id)

    @property
    def grid(self) -> Grid:
        """The area's grid."""
        return self._area.grid

    @property
    def scheme(self) -> LabelScheme:
        """The area's label scheme."""
        return self._area.labels

    def keep(self, tag: str) -> None:
        """Keep the snapshot that is read under a tag; a tag that exists stays as it is."""
        if tag not in self._repository.list_tags():
            self._repository.create_tag(tag, snapshot_id=self.snapshot)

    @cached_property
    def _root(self) -> zarr.Group:
        return zarr.open_group(self._session.store, mode="r")

    def array(self, path: str) -> zarr.Array[Any] | None:
        """An array below the area's group, None where it does not exist yet."""
        # Opening an array takes as long as reading a tile of it.
        if path not in self._arrays and isinstance(found := self._root.get(f"{self._area.name}/{path}"), zarr.Array):
            self._arrays[path] = found
        return self._arrays.get(path)

    def paths(self) -> list[str]:
        """Paths of the arrays below the area's group that carry data (coordinates left out)."""
        group = self._root.get(self._area.name)
        if not isinstance(group, zarr.Group):
            return []
        coordinates = ("spatial_ref", "week", "y_", "x_", "wavelength_")
        found = [p for p, m in group.members(max_depth=None) if isinstance(m, zarr.Array)]
        return sorted(p for p in found if not p.rpartition("/")[2].startswith(coordinates))

    def chunks(self, path: str) -> list[tuple[int, ...]]:
        """Coordinates of the chunks that an array stores, ascending."""

        async def collect() -> list[tuple[int, ...]]:
            found = self._session.chunk_coordinates(f"/{self._area.name}/{path}")
            return [tuple(c) async for c in found]

        return sorted(asyncio.run(collect()))

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
        """A window of Sentinel-2 values in the cube's encoding, 0 = not observed clear or outside the grid.

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
        if y % 2 or x % 2 or ny % 2 or nx % 2:
            raise ValueError(f"window {(y, x, ny, nx)} does not lie on 20 m pixels")
        year, index = split_week(week)
        fine = read_window(self.array(f"{year}/{MSI}/10m"), (index,), y, x, ny, nx, (4,), "uint16")
        coarse = read_window(
            self.array(f"{year}/{MSI}/20m"), (index,), y // 2, x // 2, ny // 2, nx // 2, (6,), "uint16"
        )
        return fine, coarse

    def labels(self, y: int, x: int, ny: int, nx: int) -> NDArray[np.uint8]:
        """A window of classes uint8 (ny, nx) at 10 m, 0 = unlabelled or outside the grid."""
        array = self.array(f"labels/{self._area.labels.scheme}/class")
        return read_window(array, (), y, x, ny, nx, (), "uint8")

    def observed(self, week: str) -> NDArray[np.bool_]:
        """Tiles (row, col) that hold any Sentinel-2 data in a week."""
        seen: NDArray[np.bool_] = self.ledger(week)[..., 0] != 0
        return seen

    def ledger(self, week: str, sensor: str = MSI) -> NDArray[np.uint64]:
        """Numbers of the products merged into each tile: uint64 (row, col, 32), ascending, then zeros."""
        year, index = split_week(week)
        array = self.array(f"{year}/{sensor}/scenes")
        shape = (self.grid.rows, self.grid.cols, LEDGER_SLOTS)
        return np.zeros(shape, np.uint64) if array is None else np.asarray(array[index])

    def ledger_digest(self, sheet: Sheet, week: str) -> str:
        """Return the digest of the ledger over a sheet and its one-tile halo; see `shared.items.tiles`."""
        rows, cols = sheet_window(sheet, self.grid)
        return digest_ledger(self.ledger(week)[rows.start : rows.stop, cols.start : cols.stop])

    def write(self, change: Change, year: int | None, message: str) -> None:
        """Run `change` on the area's group in one transaction; nothing is committed where it changed nothing.

        Where another writer committed meanwhile, its chunks stand, `change` is run again for their tiles alone, and
        also where none of them is the same: what it found out before may no longer be so.

        Args:
            change: merges into the arrays below the group.
            year: ISO year whose arrays must exist; None = the labels'.
            message: what the snapshot is.

        Raises:
            RuntimeError: the cube was opened for reading.
        """
        if self._mode != "write":
            raise RuntimeError("the cube was opened for reading")
        with _one_at_a_time(self._location):
            self._bootstrap(year)
            session, again = self._repository.writable_session(MAIN), None
            while True:
                change(zarr.open_group(session.store, mode="r+", path=self._area.name), again)
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
            The tiles of these chunks; None = the changes cannot be put together, and all is to be done again.
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

    def _bootstrap(self, year: int | None) -> None:
        """Create the arrays of a year, or of the labels, in a transaction of its own."""
        name, scheme = self._area.name, self._area.labels.scheme
        wanted = f"{name}/{year}/{OLCI}/scenes" if year is not None else f"{name}/labels/{scheme}/classes"
        while True:
            session = self._repository.writable_session(MAIN)
            if wanted in zarr.open_group(session.store, mode="a"):
                return
            if year is None:
                create_layers(session.store, label_layers(self._area))
                create_coordinates(session.store, self._area, f"{name}/labels/{scheme}", None, {"10m": 10})
            else:
                create_layers(session.store, year_layers(self._area, year))
                pixels = {"10m": 10, "20m": 20, "60m": 60}
                create_coordinates(session.store, self._area, f"{name}/{year}/{MSI}", year, pixels)
                create_coordinates(session.store, self._area, f"{name}/{year}/{OLCI}", year, {"300m": 300})
            failpoint("cube.before_bootstrap")
            with suppress(icechunk.ConflictError):  # another writer was faster, perhaps with the same arrays
                session.commit(f"arrays of {year or scheme}")


def tiles_of_chunk(path: str, chunk: tuple[int, ...], grid: Grid) -> Iterator[TileIndex]:
    """The tiles that a chunk of a weekly array shares area with.

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
    """(ISO year, 0-based index along the week axis) of `2018-W23`."""
    return int(week[:4]), int(week[6:]) - 1


def read_window(
    array: zarr.Array[Any] | None,
    lead: tuple[int, ...],
    y: int,
    x: int,
    ny: int,
    nx: int,
    tail: tuple[int, ...],
    dtype: str,
) -> NDArray[Any]:
    """A window (ny, nx, *tail) of an array (*lead, y, x, *tail); zeros outside it and where there is no array."""
    window = np.zeros((ny, nx, *tail), dtype)
    if array is None:
        return window
    height, width = array.shape[len(lead)], array.shape[len(lead) + 1]
    y0, y1, x0, x1 = max(y, 0), min(y + ny, height), max(x, 0), min(x + nx, width)
    if y0 < y1 and x0 < x1:
        where: tuple[int | slice, ...] = (*lead, slice(y0, y1), slice(x0, x1))
        window[y0 - y : y1 - y, x0 - x : x1 - x] = array[where]
    return window
