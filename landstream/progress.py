"""What a person sees of a running stream: one line per stage on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from threading import Lock
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table

SHOWN_CHARACTERS = 60


class ProgressDisplay:
    """Counts what the stages report and shows it on standard error."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._counts: dict[str, dict[str, int]] = {}
        self._now: dict[str, str] = {}
        self._lock = Lock()
        self._started = time.monotonic()
        self._live = Live(console=self._console, refresh_per_second=4, get_renderable=self._table, transient=True)

    def __enter__(self) -> ProgressDisplay:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._console.is_terminal:
            self._live.stop()
        with self._lock:
            done = ", ".join(f"{stage} {c['done']}" for stage, c in self._counts.items() if c["done"])
        if done:
            self._line(f"done in {time.monotonic() - self._started:.0f} s: {done}")

    def observe(self, stage: str, state: str, subject: str, done: int = 0, total: int = 0) -> None:
        """Take one report of a stage: start, progress, done, absorbed, later, failed."""
        with self._lock:
            counts = self._counts.setdefault(stage, {"done": 0, "failed": 0, "later": 0})
            if state == "progress":
                share = f" {100 * done // total} %" if total else ""
                self._now[stage] = f"{subject[:SHOWN_CHARACTERS]}{share}"
                return
            self._now[stage] = subject[:SHOWN_CHARACTERS] if state == "start" else ""
            if state in counts:
                counts[state] += 1
        if not self._console.is_terminal and state in ("done", "failed"):
            self._line(f"{stage:<13} {state:<7} {subject}")

    def _line(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        with self._lock:
            for stage, counts in self._counts.items():
                failed = f"[red]{counts['failed']} failed[/red]" if counts["failed"] else ""
                table.add_row(stage, f"{counts['done']} done", failed, self._now.get(stage, ""))
        return table
