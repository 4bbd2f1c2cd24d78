"""A simulated season: what a stack of weeks, the time of the year and OLCI add to one week of Sentinel-2.

All are scored on the same hold-out, on the same pixels of all weeks; gains are paired over blocks. Each training is a
process of its own, and each result a file: an interrupted benchmark goes on where it was. The landscape is the demo's,
with the classes of `clc-level2`, some of which look alike in a single week.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from accuracy import QUICK, ROOT, landstream

TRAINING = {"filters": 16, "epochs": 12, "steps": 36, "folds": 0, "split": "polygons"}
READ: Mapping[str, Mapping[str, Any]] = {
    "one week": {},
    "one week, time of the year": {"inputs": ["msi_10m", "msi_20m", "week"]},
    "one week, OLCI": {"inputs": ["msi_10m", "msi_20m", "olci_300m"]},
    "8 weeks": {"history_weeks": 7},
    "8 weeks, time of the year": {"inputs": ["msi_10m", "msi_20m", "week"], "history_weeks": 7},
}
"""What is read -> its settings; gains are over the first."""


def main() -> None:
    """Fill a cube, train, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of products, store and results")
    parser.add_argument("--scheme", default="clc-level2", help="label scheme")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--one", nargs=2, metavar=("READ", "SEED"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        train_one(options, options.one[0], int(options.one[1]))
        return
    if not (options.out / "store" / "area.json").exists():
        fill(options.out, options.scheme)
    for seed in range(options.seeds):
        for read in READ:
            if not result_of(options, read, seed).exists():
                command = [sys.executable, __file__, *sys.argv[1:], "--one", read, str(seed)]
                subprocess.run(command, cwd=ROOT, check=True)
    print("\n".join(table(options)))


def fill(out: Path, scheme: str) -> None:
    """Simulate a season, and take it into a store."""
    import yaml

    area = yaml.safe_load((ROOT / "examples" / "areas" / "demo.yaml").read_text())
    out.mkdir(parents=True, exist_ok=True)
    (out / "area.yaml").write_text(
        yaml.safe_dump(area | {"training": QUICK, "labels": scheme, "train": {"first": False}})
    )
    landstream("simulate", "season", "--area", out / "area.yaml", "--out", out / "products")
    products = sorted((out / "products").iterdir())
    landstream("run", "--area", out / "area.yaml", "--store", out / "store", "--once", *products)


def result_of(options: argparse.Namespace, read: str, seed: int) -> Path:
    """Return where the confusions of the blocks are kept."""
    folder: Path = options.out
    return folder / f"{read.replace(', ', '+').replace(' ', '-')}-{seed}.json"


def train_one(options: argparse.Namespace, read: str, seed: int) -> None:
    """Train what reads so much, map the hold-out in all weeks, and keep its blocks' confusions."""
    from services.trainer.determinism import set_environment

    set_environment()
    from services.trainer.bootstrap import BlockConfusions
    from services.trainer.deal import count_labels
    from services.trainer.places import list_places
    from services.trainer.predict import batch_of, predict_windows
    from services.trainer.reading import read_in_batches
    from services.trainer.split import HELD_OUT, deal_holdout
    from services.trainer.train import train
    from shared.area.area import load_area
    from shared.area.training import TrainingSettings
    from shared.cube import open_cube
    from shared.items.model_inputs import inputs_of_area
    from shared.run.context import Context
    from shared.store import open_store

    area = load_area(options.out / "area.yaml")
    cube = open_cube(Context.of_store(open_store(str(options.out / "store")), area).cube, area, "read")
    training = TrainingSettings.model_validate({**TRAINING, **READ[read], "seed": seed})
    classes = len(area.labels.classes)
    holdout = deal_holdout(count_labels(cube, classes))

    def told(done: int, total: int, losses: object) -> None:
        print(f"\r{read}, seed {seed}: {100 * done // total} %", end="", file=sys.stderr, flush=True)

    outcome = train(cube, area.model_copy(update={"training": training}), holdout, told)
    print(file=sys.stderr)
    inputs, confusions = inputs_of_area(area, training), BlockConfusions(classes)
    size = batch_of(inputs)
    places = list_places(holdout == HELD_OUT, {week: cube.observed(week) for week in cube.weeks()}, 10**6, 0)
    for batch, mapped, _ in predict_windows(outcome.model, inputs, read_in_batches(cube, places, size, inputs), size):
        confusions.add(batch.places, batch.inner(batch.labels), batch.inner(mapped))
    result_of(options, read, seed).write_text(json.dumps(confusions.blocks.tolist()))


def table(options: argparse.Namespace) -> list[str]:
    """Return the table in Markdown: means over the seeds, the widest interval of the gains."""
    import numpy as np

    from services.trainer.bootstrap import intervals
    from services.trainer.score import measure

    rows = []
    for read in READ:
        kept = [
            [np.array(json.loads(result_of(options, r, seed).read_text())) for r in (read, next(iter(READ)))]
            for seed in range(options.seeds)
        ]
        scores = [measure(mine.sum(axis=0)) for mine, _ in kept]
        gains = [intervals(mine, first)["miou"] for mine, first in kept]
        gain = f"[{min(g[0] for g in gains):+.3f}, {max(g[1] for g in gains):+.3f}]" if read != next(iter(READ)) else ""
        means = [f"{fmean(s[name] for s in scores):.3f}" for name in ("accuracy", "miou", "f1_macro")]
        rows.append(f"| {read} | {' | '.join(means)} | {gain} |")
    return ["| read | accuracy | mIoU | macro F1 | gain in mIoU |", "|---|---|---|---|---|", *rows]


if __name__ == "__main__":
    main()
