"""Bars of downloads on a terminal; plain lines elsewhere."""

from __future__ import annotations

from threading import Lock
from types import TracebackType

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from landstream.table import printable
from services.ingest.fetch.provider import Progress as Heard


class ProgressBars:
    """Shows how far each download is on standard error, and how each ended on standard output."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._moves = console.is_terminal and not console.is_dumb_terminal
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        self._bars = Progress(*columns, TimeRemainingColumn(), console=console, transient=True)
        self._tasks: dict[str, TaskID] = {}
        self._lock = Lock()

    def __enter__(self) -> ProgressBars:
        if self._moves:
            self._bars.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._moves:
            self._bars.stop()

    def heard(self, product: str) -> Heard:
        """Return who hears how far the download of a product is; called by any thread."""

        def tell(done: int, total: int | None) -> None:
            with self._lock:
                if product not in self._tasks:
                    self._tasks[product] = self._bars.add_task(product, total=total)
                self._bars.update(self._tasks[product], completed=done, total=total)

        return tell

    def end(self, product: str, said: str) -> None:
        """Take a product's bar away, and say how its download ended."""
        with self._lock:
            if product in self._tasks:
                self._bars.remove_task(self._tasks.pop(product))
        typer.echo(printable(said))
