"""Tables for people: one line per row where the terminal is wide enough, else a row's long values below it."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

GAP, INDENT = "  ", "  "


class Column(NamedTuple):
    """A column.

    Attributes:
        heading: what stands above it.
        copied: whether people copy its values, such as paths and ids: these are never broken.
        below: whether its values may stand on lines of their own below the row.
    """

    heading: str
    copied: bool = False
    below: bool = False


def terminal_width() -> int:
    """Return the width of the terminal in characters."""
    return shutil.get_terminal_size().columns


def table(columns: Sequence[Column], rows: Iterable[Sequence[str]], width: int) -> Iterator[str]:
    """Yield the lines of a table; nothing is cut, whatever the width.

    Args:
        columns: its columns.
        rows: the texts of each row, one for each column.
        width: characters that a line may have, where that breaks nothing that is copied.
    """
    kept = [[printable(text) for text in row] for row in rows]
    widths = [max(map(len, (c.heading, *(row[n] for row in kept)))) for n, c in enumerate(columns)]
    fits = sum(widths) + len(GAP) * (len(columns) - 1) <= width
    beside = [n for n, c in enumerate(columns) if fits or not c.below]
    below = [n for n in range(len(columns)) if n not in beside]
    label = max((len(columns[n].heading) for n in below), default=0)

    def line(texts: Sequence[str]) -> str:
        return GAP.join(f"{texts[n]:<{widths[n]}}" for n in beside).rstrip()

    yield line([c.heading for c in columns])
    for row in kept:
        yield line(row)
        for n in below:
            yield from _below(f"{INDENT}{columns[n].heading:<{label}}{GAP}", row[n], columns[n].copied, width)


def _below(label: str, text: str, copied: bool, width: int) -> list[str]:
    if not text:
        return []
    if copied:
        return [label + text]
    return textwrap.wrap(
        text,
        max(width, len(label) + 20),
        initial_indent=label,
        subsequent_indent=" " * len(label),
        break_long_words=False,
        break_on_hyphens=False,
    )


def printable(text: str) -> str:
    """Return a text on one line, without what a terminal would obey: names and messages come from products."""
    return "".join(c if c.isprintable() else " " for c in text)
