"""Runs two ways to the same result alternately, so that a busy machine is unfair to both."""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

STATUS: Final = Path("/proc/self/status")


@dataclass(frozen=True)
class Race:
    """One hot path of the product against a peer, or against a budget.

    Attributes:
        name: what is done; its first word is the stage's: olci, raster, mask, cube or read.
        ours: the product's way.
        goal: ratio of the peer's time to ours that is wanted at least.
        peer: the other way.
        theirs: does it; None = `budget` stands for its time.
        equal: whether two results, ours and theirs, are what they are to be; of a budget, theirs is None.
        package: distribution whose version is the peer's; empty = the peer is a program or a budget.
        budget: of ours, in `unit`.
        unit: `s`; `MB` = what is measured is the peak of memory, and not the time.
        rounds: how often each runs.
    """

    name: str
    ours: Callable[[], Any]
    goal: float
    peer: str
    theirs: Callable[[], Any] | None
    equal: Callable[[Any, Any], bool]
    package: str = ""
    budget: float = 0.0
    unit: str = "s"
    rounds: int = 5


@dataclass(frozen=True)
class Result:
    """How a race ended; `peer_s` and `ours_s` are MB where memory is what counts.

    Attributes:
        name: the race's.
        peer: of what.
        peer_version: empty = it has none.
        peer_s: median.
        ours_s: median.
        ratio: median over the rounds of the peer's by ours: more is better.
        goal: the ratio wanted.
        equal: the oracle's verdict.
        peak_mb: the most memory that the process had while it ran ours, its inputs included, in MB.
    """

    name: str
    peer: str
    peer_version: str
    peer_s: float
    ours_s: float
    ratio: float
    goal: float
    equal: bool
    peak_mb: float

    @property
    def reached(self) -> bool:
        """Whether the goal was reached with a right result."""
        return self.equal and self.ratio >= self.goal


def run(race: Race, rounds: int | None = None) -> Result:
    """Compare the results, then let both run in turns.

    Args:
        race: what is raced.
        rounds: how often each runs; None = as the race says.
    """
    gc.collect()
    with Peak() as peak:
        mine = race.ours()
    equal = race.equal(mine, race.theirs() if race.theirs else None)
    del mine
    ours, theirs = [], []
    for _ in range(rounds or race.rounds):
        ours.append(_seconds(race.ours))
        theirs.append(_seconds(race.theirs) if race.theirs else race.budget)
    if race.unit == "MB":
        ours = [peak.mb] * len(ours)
    return Result(
        name=race.name,
        peer=race.peer,
        peer_version=version(race.package) if race.package else "",
        peer_s=round(statistics.median(theirs), 4),
        ours_s=round(statistics.median(ours), 4),
        ratio=round(statistics.median(t / o for t, o in zip(theirs, ours, strict=True)), 2),
        goal=race.goal,
        equal=equal,
        peak_mb=round(peak.mb),
    )


class Peak:
    """Measures the most memory that this process has in a `with` block, in MB."""

    mb: float

    def __enter__(self) -> Peak:
        Path("/proc/self/clear_refs").write_text("5")  # lets the high-water mark begin at what is there now
        return self

    def __exit__(self, *_: object) -> None:
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        self.mb = int(line.split()[1]) / 1024


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def table(results: Iterable[Result]) -> Iterator[str]:
    """Yield the lines of a table in Markdown."""
    yield "| what | peer | peer, s | ours, s | ratio | goal | equal | MB |"
    yield "|---|---|---|---|---|---|---|---|"
    for r in results:
        goal = f"{r.goal:g}{'' if r.reached else ' **missed**'}"
        peer = f"{r.peer} {r.peer_version}".strip()
        yield f"| {r.name} | {peer} | {r.peer_s:g} | {r.ours_s:g} | {r.ratio:g} | {goal} | {r.equal} | {r.peak_mb:g} |"


def cache() -> Path:
    """Return the folder of inputs that are made once, outside the repository."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "landstream" / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def main(races: Callable[[Path], Iterator[Race]], about: str | None) -> None:
    """Run the races of a script, and print their table as they end."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, help="how often each runs, where not as the race says")
    parser.add_argument("--folder", type=Path, help="of inputs that are kept (default: of this user's cache)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there instead")
    given = parser.parse_args()
    results = (run(race, given.rounds) for race in races(given.folder or cache()))
    if given.json:
        given.json.write_text(json.dumps([asdict(result) for result in results]))
        return
    for line in table(results):
        print(line, flush=True)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", file=sys.stderr)
