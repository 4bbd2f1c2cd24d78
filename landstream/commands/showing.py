"""What a command prints of many things: a table for people, one JSON a line for programs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

import typer

if TYPE_CHECKING:
    from landstream.table import Column

Shown = TypeVar("Shown")


def for_people(as_json: bool) -> bool:
    """Return whether to print for people: on a terminal, unless JSON was asked for."""
    return sys.stdout.isatty() and not as_json


def show(
    things: Iterable[Shown],
    as_json: bool,
    line: Callable[[Shown], str],
    columns: Sequence[Column],
    row: Callable[[Shown], Sequence[str]],
    nothing: str,
) -> None:
    """Print things as a table where people look, else one a line.

    Args:
        things: what to print.
        as_json: whether JSON was asked for.
        line: thing -> JSON on one line.
        columns: of the table.
        row: thing -> its texts, one for each column.
        nothing: what to say to people where there is none.
    """
    if not for_people(as_json):
        for thing in things:
            typer.echo(line(thing))
        return
    from landstream.table import table, terminal_width

    rows = list(map(row, things))
    for text in table(columns, rows, terminal_width()) if rows else [nothing]:
        typer.echo(text)
