"""Writes what comes over the network to a file: never more than was promised, and never too slowly."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from services.ingest.fetch.errors import Corrupt, Unavailable
from services.ingest.fetch.network.deadline import within

SIZE_LIMIT: Final = 16 * 2**30
"""Bytes of what nobody stated a size of: twice the largest product."""


@dataclass(frozen=True)
class Speed:
    """What is too slow.

    Attributes:
        bytes_s: bytes a second, at least, in each window.
        window_s: seconds.
        now: seconds that never go back.
    """

    bytes_s: float = 16 * 1024
    window_s: float = 60.0
    now: Callable[[], float] = time.monotonic


class Span(NamedTuple):
    """Where a file stands.

    Attributes:
        done: bytes that are there.
        total: bytes of the whole; None = not known.
    """

    done: int
    total: int | None


def receive(
    pieces: Iterator[bytes],
    file: BinaryIO,
    span: Span,
    heard: Callable[[int, int | None], None],
    speed: Speed,
    limit: int = SIZE_LIMIT,
) -> int:
    """Append pieces to a file, and return how long it is then; it is safely on the disk.

    Args:
        pieces: as they come.
        file: open at its end.
        span: where it stands.
        heard: is told how far it has come.
        speed: what is too slow.
        limit: bytes of what nobody stated a size of.

    Raises:
        Corrupt: more comes than was promised; that is not written.
        Unavailable: it is too slow, or breaks off.
    """
    limit = limit if span.total is None else span.total
    done = span.done
    start, before = speed.now(), done
    while (piece := _next(pieces, speed.window_s)) is not None:
        if done + len(piece) > limit:
            raise Corrupt(f"more than the {limit} bytes came that were promised")
        file.write(piece)
        done += len(piece)
        heard(done, span.total)
        if (passed := speed.now() - start) >= speed.window_s:
            if done - before < speed.bytes_s * passed:
                raise Unavailable(f"it comes too slowly: {(done - before) / passed:.0f} bytes a second")
            start, before = speed.now(), done
    file.flush()
    os.fsync(file.fileno())
    return done


def settle(part: Path, final: Path) -> None:
    """Give a file that is whole its name, for good."""
    part.replace(final)
    folder = os.open(final.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _next(pieces: Iterator[bytes], window_s: float) -> bytes | None:
    with within(window_s):
        return next(pieces, None)
