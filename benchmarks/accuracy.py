"""Networks and baselines on the real scene west of Berlin, cross-validated: the table of `docs/accuracy.md`.

Each training is a process of its own, and each result a file: an interrupted benchmark goes on where it was. A fold's
network learns nothing of a label polygon that reaches into the blocks that it is tested on (`--split polygons`).
Some two minutes of two cores for each fold, network and seed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import fmean
from typing import Any

ROOT = Path(__file__).parents[1]
NETWORKS = ("committee", "unet", "segnet", "resnet", "multiscale")
SCENE = "s2-l1c-brandenburg-t33uuu"
QUICK = {"filters": 4, "epochs": 1, "steps": 1, "folds": 0, "architecture": "unet"}
"""The training that comes with filling the cube, of which nothing is used."""


def main() -> None:
    """Fill a cube, train, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of the real data")
    parser.add_argument("--out", type=Path, required=True, help="folder of the store and the results")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--split", choices=("blocks", "polygons"), default="polygons")
    parser.add_argument("--one", nargs=2, metavar=("NETWORK", "SEED"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        train_one(options, options.one[0], int(options.one[1]))
        return
    if not (options.out / "store" / "area.json").exists():
        fill(options.data / SCENE, options.out)
    for seed in range(options.seeds):
        for network in options.networks:
            if not result_of(options, network, seed).exists():
                command = [sys.executable, __file__, *sys.argv[1:], "--one", network, str(seed)]
                subprocess.run(command, cwd=ROOT, check=True)
    print("\n".join(table(options)))


def fill(scene: Path, out: Path) -> None:
    """Take the scene and its labels into a store."""
    import yaml

    wrapped = [
        "simulate", "wrap", scene, "--pattern", "IMG_DATA/*_{band}.jp2", "--level", "l1c",
        "--time", "2017-02-16T10:21:01Z", "--orbit", "65", "--baseline", "0204",
        "--labels", scene / "osm_landuse_water.gpkg", "--attribute", "fclass", "--out", out / "products",
    ]  # fmt: skip
    landstream(*wrapped)
    area = yaml.safe_load((ROOT / "examples" / "areas" / "brandenburg.yaml").read_text()) | {"training": QUICK}
    (out / "area.yaml").write_text(yaml.safe_dump(area))
    products = sorted((out / "products").iterdir())
    landstream("run", "--area", out / "area.yaml", "--store", out / "store", "--once", *products)


def landstream(*arguments: object) -> None:
    """Run a command of Landstream's."""
    subprocess.run([sys.executable, "-m", "landstream", *map(str, arguments)], cwd=ROOT, check=True)


def result_of(options: argparse.Namespace, network: str, seed: int) -> Path:
    """Return where the scores of a network and seed are kept."""
    folder: Path = options.out
    return folder / f"{network}-{seed}-{options.split}-{options.folds}.json"


def train_one(options: argparse.Namespace, network: str, seed: int) -> None:
    """Train a network and its folds, and keep what they score."""
    from services.trainer.determinism import set_environment

    set_environment()
    from services.trainer.deal import count_labels
    from services.trainer.split import deal_holdout
    from services.trainer.train import train
    from shared.area.area import load_area
    from shared.area.training import TrainingSettings
    from shared.cube import open_cube
    from shared.run.context import Context
    from shared.store import open_store

    store = open_store(str(options.out / "store"))
    area = load_area(ROOT / "examples" / "areas" / "brandenburg.yaml")
    cube = open_cube(Context.of_store(store, area).cube, area, "read")
    fields = area.training.model_dump() | {"architecture": network, "seed": seed, "split": options.split}
    training = TrainingSettings(**fields | {"folds": options.folds})
    holdout = deal_holdout(count_labels(cube, len(area.labels.classes)))

    def told(done: int, total: int, losses: object) -> None:
        print(f"\r{network}, seed {seed}: {100 * done // total} %", end="", file=sys.stderr, flush=True)

    outcome = train(cube, area.model_copy(update={"training": training}), holdout, told)
    print(file=sys.stderr)
    kept = {"folds": outcome.folds, "holdout": outcome.metrics, "losses": outcome.losses}
    result_of(options, network, seed).write_text(json.dumps(kept))


def table(options: argparse.Namespace) -> list[str]:
    """Return the table in Markdown: all labelled pixels, each tested once."""
    head = "| method | accuracy | mIoU | macro F1 | gain over the forest | gain over boosting |"
    rows, read = [], {}
    for network in options.networks:
        files = [result_of(options, network, seed) for seed in range(options.seeds)]
        read[network] = [json.loads(f.read_text())["folds"]["pooled"] for f in files if f.exists()]
        rows += [_row(network, read[network])] if read[network] else []
    pooled = next((found[0] for found in read.values() if found), None)
    if pooled is None:
        return ["nothing trained yet"]
    for name, key in (("random forest, per pixel", "forest"), ("gradient boosting, multi-scale features", "boosting")):
        scored = pooled[key]
        cells = (_with(scored["accuracy"], scored, "accuracy"), _with(scored["miou"], scored, "miou"))
        rows.append(f"| {name} | {' | '.join(cells)} | | | |")
    return [head, "|---|---|---|---|---|---|", *rows]


def _row(network: str, seeds: list[dict[str, Any]]) -> str:
    first = seeds[0]
    cells = [_with(fmean(s[name] for s in seeds), first, name) for name in ("accuracy", "miou")]
    cells.append(f"{fmean(s['f1_macro'] for s in seeds):.3f}")
    for gains in ([s["gain_95"]["miou"] for s in seeds], [s["boosting"]["gain_95"]["miou"] for s in seeds]):
        cells.append(f"[{min(g[0] for g in gains):+.3f}, {max(g[1] for g in gains):+.3f}]")
    return f"| {network}, {len(seeds)} seeds | {' | '.join(cells)} |"


def _with(value: float, scored: dict[str, Any], name: str) -> str:
    low, high = scored["interval_95"][name]
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


if __name__ == "__main__":
    main()
