"""What a person sees of a running stream: one line per stage on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import re
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from threading import Event, Lock
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from landstream.tally import Tally, duration, lines_of, said_of
from services.sweeper.view import Count

BETWEEN_LINES_S = 60.0
"""Seconds between two lines that say how things stand, where the output is a log."""


class ProgressDisplay:
    """Counts what the stages report and shows it on standard error.

    Args:
        feeding: names of the stages that feed the cube, upstream first.
        stop: set when the run is told to stop.
    """

    def __init__(self, feeding: Collection[str] = (), stop: Event | None = None) -> None:
        self._console = Console(stderr=True)
        self._tally, self._stop = Tally(feeding, time.monotonic), stop or Event()
        self._lock = Lock()
        self._said_s = -math.inf
        self._waits: list[str] = []
        # A terminal that cannot move its cursor gets lines, as a file does.
        self._moves = self._console.is_terminal and not self._console.is_dumb_terminal
        self._live = Live(console=self._console, refresh_per_second=4, get_renderable=self._table, transient=True)

    def __enter__(self) -> ProgressDisplay:
        if self._moves:
            self._live.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._moves:
            self._live.stop()
        with self._lock:
            said = said_of(self._tally.stages)
        if said:
            self._line(f"{duration(self._tally.elapsed_s)}: {said}")

    def observe(self, stage: str, state: str, subject: str, done: int = 0, total: int = 0, note: str = "") -> None:
        """Take one report of a stage; see `shared.run.context.Observer`."""
        with self._lock:
            self._tally.observe(stage, state, subject, done, total, note)
        if state == "failed" or (state == "done" and not self._moves):
            why = note.removeprefix(f"{subject}: ")
            self._line(f"{stage:<13} {state:<7} {subject}" + (f": {why}" if why else ""))
        elif state == "progress" and note == "products" and not done and not self._moves:
            self._line(f"taking in {total} {'product' if total == 1 else 'products'}")

    def expect(self, counts: Mapping[str, Count]) -> None:
        """Take what the last look at the store found."""
        with self._lock:
            self._tally.expect(counts)
            lines = lines_of(self._tally)
        if not self._moves and time.monotonic() - self._said_s >= BETWEEN_LINES_S:
            self._said_s = time.monotonic()
            for line in lines:
                self._line(line)

    def waiting(self, waits: Sequence[str]) -> None:
        """Take what the stream waits for; a log gets each wait once, however its numbers count."""
        with self._lock:
            self._tally.waits = list(waits)
            now = self._waits_now()
        kinds = [re.sub(r"\d+", "", wait) for wait in now]
        if not self._moves:
            for wait in (w for w, kind in zip(now, kinds, strict=True) if kind not in self._waits):
                self._line(wait)
        self._waits = kinds

    def _waits_now(self) -> list[str]:
        arriving = (f"arriving: {unit}: {why}" for unit, why in sorted(self._tally.arriving.items()))
        return [*arriving, *self._tally.waits]

    def stopping(self) -> None:
        """Say that the run was told to stop and puts its work away; a terminal shows that anyway."""
        if not self._moves:
            self._line("stopping: what is under way may still end")

    def _line(self, text: str) -> None:
        if self._moves:
            self._console.print(Text(text), soft_wrap=True)
        else:
            print(text, file=sys.stderr, flush=True)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, justify="right")
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        with self._lock:
            for stage, tally in self._tally.stages.items():
                failed = Text(f"{tally.failed} failed", "red") if tally.failed else ""
                done = f"{tally.done} of {tally.known}" if tally.known else ""
                table.add_row(stage, done, failed, Text(tally.under_way))
            now = "stopping" if self._stop.is_set() else self._tally.left()
            table.add_row(duration(self._tally.elapsed_s), "", "", now)
            for wait in self._waits_now():
                table.add_row("", "", "", Text(wait, "dim"))
        return table
