"""Train in a process of its own: `python -m tests.services.trainer.train_once FOLDER SETTINGS [BATCH]`.

TensorFlow's threads and determinism are fixed once for a process, so the tests train in children. Of the windows only
24 are in memory from the start, so that some are learned from in rounds. With BATCH it keeps
a checkpoint after each epoch, as `kept` in the folder, goes on from one that lies there, and is ended by SIGKILL as it
takes its BATCH-th batch; 0 = never.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from services.trainer.item import write_split
from services.trainer.process import process
from services.trainer.split import count_blocks, deal_holdout
from services.trainer.stage import STAGE
from shared.area.area import load_area, parse_area
from shared.items.item import Item
from shared.stage.declare import Job, LocalItem, Scratch, Source, Task
from tests.services.trainer.fake_cube import FakeCube


def main() -> None:
    """Train, and write the item as `item.json` beside the artifacts."""
    from services.trainer import train

    folder, settings = Path(sys.argv[1]), json.loads(sys.argv[2])
    train.MOST_TRAINING, train.MOST_IN_ROUND = 24, 16
    small = load_area(Path(__file__).parents[3] / "examples" / "areas" / "small.yaml")
    data = small.model_dump(mode="json", by_alias=True)
    data["training"].update(settings)
    area = parse_area(data, "test")
    cube = FakeCube(area, ("2018-W20", "2018-W25"))
    request = Item({"id": "request--v1-00000001", "collection": "training-requests", "properties": {}}, "static")
    parameters = {"cube_state": "0" * 64, "training": area.training.model_dump(mode="json")}
    job = Job("models", area.name, "static", (Source(request, ()),), parameters)
    counts = count_blocks(cube.given, len(area.labels.classes))
    blocks = folder / "hold-out.json"
    blocks.write_text(write_split(area, deal_holdout(counts)))
    hold_out = Item({"id": "clc-1--v1-00000001", "collection": "hold-outs", "properties": {}}, "static")
    context = (LocalItem(hold_out, {"hold_out": blocks}),)
    progress: list[tuple[int, int, str]] = []

    def report(done: int, total: int, of: str = "", **losses: float | None) -> None:
        progress.append((done, total, of))

    scratch = keep_in(folder, int(sys.argv[3])) if len(sys.argv) > 3 else Scratch()
    task = Task(
        job, (), context, None, area, STAGE.settings(), folder, cube, report, scratch,  # type: ignore[arg-type]
    )  # fmt: skip
    start = time.perf_counter()
    result = process(task)
    record = {
        "geometry": result.geometry,
        "bbox": result.bbox,
        "properties": result.properties,
        "assets": {
            name: {"file": asset.path.name, "type": asset.media_type, "roles": asset.roles, **asset.fields}
            for name, asset in result.assets.items()
        },
        "extensions": result.extensions,
        "progress": progress,
        "seconds": time.perf_counter() - start,
    }
    (folder / "item.json").write_text(json.dumps(record, allow_nan=False))


def keep_in(folder: Path, batch: int) -> Scratch:
    """Keep checkpoints in a folder, and die at a batch."""
    from services.trainer import checkpoint, descend

    kept, fed, constants = folder / "kept", descend.fed, descend.constants
    checkpoint.EVERY_S = 0.0  # type: ignore[misc]
    left = batch

    def count(taken: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return taken

    descend.fed = lambda batches: map(count, fed(batches))
    descend.constants = lambda batch: constants(count(batch))
    return Scratch(kept if kept.exists() else None, lambda path: path.rename(kept) and None)


if __name__ == "__main__":
    main()
