"""`make bench`: each hot path against its peers, in turns, in a process for each stage.

`make bench ONLY=olci` runs those of one stage: olci, raster, mask, cube or read. The results go into
benchmarks/results.json, and are printed as a table. Inputs of full size are made once, and kept in
~/.cache/landstream/benchmarks.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from benchmarks.race import Result, table

STAGES: Final = {
    "olci": "reproject",
    "raster": "rasterize",
    "mask": "cloudmask",
    "cube": "merge",
    "read": "read_tiles",
}
"""First word of a race's name -> module."""

RESULTS: Final = Path(__file__).with_name("results.json")


def main() -> int:
    """Run them; 1 = a goal was missed, or a result is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=STAGES, help="one stage")
    parser.add_argument("--rounds", type=int, help="how often each runs (default: 5, or as a race says)")
    given = parser.parse_args()
    chosen = [given.only] if given.only else list(STAGES)
    found: list[dict[str, Any]] = []
    for stage in chosen:
        print(f"{stage}: {STAGES[stage]}.py ...", file=sys.stderr, flush=True)
        found += measured(STAGES[stage], given.rounds)
    results = [r for r in kept() if r["name"].split(":")[0] not in chosen] + found
    results.sort(key=lambda result: list(STAGES).index(result["name"].split(":")[0]))
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    ended = [Result(**result) for result in found]
    print("\n".join(table(ended)))
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", file=sys.stderr)
    return 0 if all(result.reached for result in ended) else 1


def measured(module: str, rounds: int | None) -> list[dict[str, Any]]:
    """Return what a module's races gave, run in a process of its own: no peer's memory is another's."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "results.json"
        command = [sys.executable, "-m", f"benchmarks.{module}", "--json", str(path)]
        subprocess.run(command + (["--rounds", str(rounds)] if rounds else []), check=True)
        results: list[dict[str, Any]] = json.loads(path.read_text())
        return results


def kept() -> list[dict[str, Any]]:
    """Return the results of earlier runs."""
    results: list[dict[str, Any]] = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    return results


if __name__ == "__main__":
    sys.exit(main())
