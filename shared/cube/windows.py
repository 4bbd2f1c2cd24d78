"""Windows of the cube's arrays: chunks are fetched many at a time, and decoded on all cores.

zarr-python asks for the chunks of one window at a time, and handles each at length in Python. Here the next chunks
are under way while those before them are decoded, whichever windows they belong to.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Final, TypeVar

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.core.buffer import Buffer, default_buffer_prototype
from zarr.core.sync import sync

from shared.cube.layout import decode_chunk
from shared.raster.grid import Window
from shared.threads import THREADS

BATCH: Final = 32
"""Chunks that are asked for at once: a store answers them in little more than the time of one."""

AHEAD: Final = 2
"""Batches under way while one is decoded."""

Array = NDArray[Any]
GivenT = TypeVar("GivenT")
FoundT = TypeVar("FoundT")


@dataclass(frozen=True)
class Part:
    """A window of an array (*lead, y, x, *tail) of the layout, whose chunks hold one index of each axis before y.

    Attributes:
        array: None = it does not exist yet.
        lead: index along the axes before y.
        window: in pixels of the array; may lie outside.
        tail: lengths of the axes after x.
        dtype: the array's.
        fill: what lies outside the array, and where it stores nothing.
    """

    array: zarr.Array[Any] | None
    lead: tuple[int, ...]
    window: Window
    tail: tuple[int, ...]
    dtype: str
    fill: float = 0


@dataclass(frozen=True)
class _Piece:
    """What a chunk gives to a window.

    Attributes:
        array: of the chunk.
        index: of the chunk along each axis.
        target: the pixels of the window that it covers.
        source: rows and columns of the chunk that they are.
    """

    array: zarr.Array[Any]
    index: tuple[int, ...]
    target: Array
    source: tuple[slice, slice]


@dataclass(frozen=True)
class _End:
    """Stands behind the last piece of windows that are read together."""

    windows: list[Array]


def read_each(groups: Iterable[Sequence[Part]]) -> Iterator[list[Array]]:
    """Read windows, those of some groups ahead of the one that is yielded.

    Args:
        groups: of windows that are wanted together.

    Yields:
        The values of each group, in its order: (ny, nx, *tail) of the window's dtype.
    """
    pieces = chain.from_iterable(map(_pieces, groups))
    batches = iter(lambda: list(islice(pieces, BATCH)), [])
    with ThreadPoolExecutor(AHEAD) as fetchers, ThreadPoolExecutor(THREADS) as decoders:
        for batch, chunks in _ahead(fetchers, _fetch, batches):
            for whole in decoders.map(_decode, batch, chunks):
                if whole is not None:
                    yield whole


def read_together(*parts: Part) -> list[Array]:
    """Read some windows at once; see `read_each`."""
    return next(read_each([parts]))


def _pieces(parts: Sequence[Part]) -> Iterator[_Piece | _End]:
    windows = [np.full((p.window.ny, p.window.nx, *p.tail), p.fill, p.dtype) for p in parts]
    for part, values in zip(parts, windows, strict=True):
        if part.array is not None:
            yield from _cut(part.array, part.lead, part.window, values)
    yield _End(windows)


def _cut(array: zarr.Array[Any], lead: tuple[int, ...], window: Window, values: Array) -> Iterator[_Piece]:
    axes = len(lead)
    tail = (0,) * (array.ndim - axes - 2)
    rows, cols = (
        list(_spans(start, count, array.shape[axis], array.chunks[axis]))
        for start, count, axis in ((window.y, window.ny, axes), (window.x, window.nx, axes + 1))
    )
    for row, to_y, from_y in rows:
        for col, to_x, from_x in cols:
            yield _Piece(array, (*lead, row, col, *tail), values[to_y, to_x], (from_y, from_x))


def _spans(start: int, count: int, length: int, chunk: int) -> Iterator[tuple[int, slice, slice]]:
    """Divide a window along one axis.

    Args:
        start: its first pixel; may lie outside.
        count: its pixels.
        length: of the array.
        chunk: length of a chunk.

    Yields:
        Index of a chunk, the pixels of the window that it covers, and those of the chunk that they are.
    """
    first, stop = max(start, 0), min(start + count, length)
    for index in range(first // chunk, -(-stop // chunk)):
        begin, end = max(first, index * chunk), min(stop, (index + 1) * chunk)
        yield index, slice(begin - start, end - start), slice(begin - index * chunk, end - index * chunk)


def _fetch(batch: Sequence[_Piece | _End]) -> list[Buffer | None]:
    """Return what the store holds of some chunks; None = nothing."""

    async def all_of_them() -> list[Buffer | None]:
        return await asyncio.gather(*map(_get, batch))

    return sync(all_of_them())


async def _get(piece: _Piece | _End) -> Buffer | None:
    if isinstance(piece, _End):
        return None
    at, key = piece.array.store_path, piece.array.metadata.encode_chunk_key(piece.index)
    return await at.store.get(f"{at.path}/{key}" if at.path else key, default_buffer_prototype())


def _decode(piece: _Piece | _End, chunk: Buffer | None) -> list[Array] | None:
    """Put what a chunk holds into its window; return the windows where it was the last one."""
    if isinstance(piece, _End):
        return piece.windows
    if chunk is not None:
        target, shape = piece.target, piece.array.chunks[-piece.target.ndim :]
        if target.shape == shape and target.flags.c_contiguous:
            decode_chunk(chunk, target)
        else:
            whole = np.empty(shape, target.dtype)
            decode_chunk(chunk, whole)
            target[...] = whole[piece.source]
    return None


def _ahead(
    pool: ThreadPoolExecutor, work: Callable[[GivenT], FoundT], given: Iterator[GivenT]
) -> Iterator[tuple[GivenT, FoundT]]:
    """Yield each with what came of it, in order, the work of `AHEAD` others begun."""
    begun: deque[tuple[GivenT, Future[FoundT]]] = deque()
    for each in given:
        begun.append((each, pool.submit(work, each)))
        if len(begun) > AHEAD:
            first, found = begun.popleft()
            yield first, found.result()
    for first, found in begun:
        yield first, found.result()
