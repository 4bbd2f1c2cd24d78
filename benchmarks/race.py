"""Runs two ways to the same result alternately, so that a busy machine is unfair to both."""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

STATUS: Final = Path("/proc/self/status")


@dataclass(frozen=True)
class Peer:
    """Another way to the same result.

    Attributes:
        name: whose.
        work: does it.
        goal: ratio of its time to ours that is wanted at least.
        equal: whether two results, ours and its own, are what they are to be.
        package: distribution whose version is the peer's; empty = it is a program.
    """

    name: str
    work: Callable[[], Any]
    goal: float
    equal: Callable[[Any, Any], bool]
    package: str = ""


@dataclass(frozen=True)
class Race:
    """One hot path of the product against peers.

    Attributes:
        name: what is done; its first word is the stage's: olci, raster, mask, cube or read.
        ours: the product's way.
        peers: the other ways.
        rounds: how often each runs.
    """

    name: str
    ours: Callable[[], Any]
    peers: Sequence[Peer]
    rounds: int = 5


@dataclass(frozen=True)
class Budget:
    """What a path of the product may take.

    Attributes:
        name: what is done; its first word is the stage's.
        limit: of what is measured.
        unit: of both.
        measure: returns what it took, and whether the result was right.
    """

    name: str
    limit: float
    unit: str
    measure: Callable[[], tuple[float, bool]]


@dataclass(frozen=True)
class Result:
    """How a race against a peer ended; of a budget, `peer_s` is the limit and `ours_s` what was measured.

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


def run(given: Race | Budget, rounds: int | None = None) -> list[Result]:
    """Run all in turns, compare the first results, and return one line for each peer.

    Args:
        given: what is raced.
        rounds: how often each runs; None = as the race says.
    """
    if isinstance(given, Budget):
        took, is_right = given.measure()
        ratio = round(given.limit / took, 2)
        return [
            Result(
                given.name,
                f"budget in {given.unit}",
                "",
                given.limit,
                round(took, 4),
                ratio,
                1,
                is_right,
                rss_mb("VmHWM"),
            )
        ]
    ours, theirs = list[float](), dict[str, list[float]]()
    equal, most_mb = dict[str, bool](), 0.0
    for number in range(rounds or given.rounds):
        gc.collect()
        with Peak() as peak:
            took, mine = _timed(given.ours)
        ours.append(took)
        most_mb = most_mb or peak.mb  # later ones have memory that the peers left
        for peer in given.peers:
            took, other = _timed(peer.work)
            theirs.setdefault(peer.name, []).append(took)
            if number == 0:
                equal[peer.name] = peer.equal(mine, other)
            del other
        del mine
    return [
        Result(
            name=given.name,
            peer=peer.name,
            peer_version=version(peer.package) if peer.package else "",
            peer_s=round(statistics.median(theirs[peer.name]), 4),
            ours_s=round(statistics.median(ours), 4),
            ratio=round(statistics.median(t / o for t, o in zip(theirs[peer.name], ours, strict=True)), 2),
            goal=peer.goal,
            equal=equal[peer.name],
            peak_mb=round(most_mb),
        )
        for peer in given.peers
    ]


class Peak:
    """Measures the most memory that this process has in a `with` block, in MB."""

    mb: float

    def __enter__(self) -> Peak:
        Path("/proc/self/clear_refs").write_text("5")  # lets the high-water mark begin at what is there now
        return self

    def __exit__(self, *_: object) -> None:
        self.mb = rss_mb("VmHWM")


def rss_mb(name: str) -> float:
    """Return this process's memory in MB: `VmRSS` now, `VmHWM` at most."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(name))
    return round(int(line.split()[1]) / 1024)


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    result = work()
    return time.perf_counter() - begun, result


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


def main(races: Callable[[Path], Iterator[Race | Budget]], about: str | None) -> None:
    """Run the races of a script, and print their table as they end."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, help="how often each runs, where not as the race says")
    parser.add_argument("--folder", type=Path, help="of inputs that are kept (default: of this user's cache)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there instead")
    given = parser.parse_args()
    results = (result for race in races(given.folder or cache()) for result in run(race, given.rounds))
    if not given.json:
        for line in table(results):
            print(line, flush=True)
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", file=sys.stderr)
        return
    ended = []
    for result in results:
        ended.append(asdict(result))
        given.json.write_text(json.dumps(ended))
        print(f"  {result.name}, {result.peer}: {result.ratio:g}", file=sys.stderr, flush=True)
