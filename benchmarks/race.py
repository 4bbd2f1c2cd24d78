"""Runs two ways to the same result alternately, so that a busy machine is unfair to both."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping


def race(what: str, ours: Callable[[], object], peers: Mapping[str, Callable[[], object]], rounds: int = 5) -> None:
    """Print the median time of each, and the median over the rounds of each peer's time by ours.

    Args:
        what: the hot path and its size.
        ours: the product's way.
        peers: name -> another way.
        rounds: how often each runs; the first run of each is counted too.
    """
    runners = {"ours": ours, **peers}
    times: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(rounds):
        for name, run in runners.items():
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    print(f"{what}; {rounds} rounds, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for name, seconds in times.items():
        ratio = statistics.median(s / o for s, o in zip(seconds, times["ours"], strict=True))
        print(f"  {name:32} {statistics.median(seconds):9.3f} s  {ratio:6.2f}")
