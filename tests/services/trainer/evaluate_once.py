"""Compare two models in a process of its own: `python -m tests.services.trainer.evaluate_once FOLDER`.

Models that say the same of every pixel stand for trained ones: what is tested is the comparison.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from services.trainer.determinism import pin, set_environment
from services.trainer.item import write_split
from services.trainer.split import count_blocks, deal_holdout
from services.trainer.stage import STAGE
from shared.area.area import load_area
from shared.items.item import Item
from shared.items.model_archive import pack
from shared.items.model_inputs import ModelInputs
from shared.items.properties import HoldOutFacts
from shared.stage.declare import Job, LocalItem, Source, Task
from tests.services.trainer.fake_cube import FakeCube

AREA = load_area(Path(__file__).parents[3] / "examples" / "areas" / "small.yaml")
TIMES = {"start_datetime": "2018-05-14T00:00:00Z", "end_datetime": "2018-06-24T23:59:59Z", "datetime": None}


def constant_model(folder: Path, value: int) -> Path:
    """The tar of a model that calls every pixel by one class."""
    import keras

    from services.trainer.export import export
    from services.trainer.networks.inputs import Normalise, cube_inputs

    classes = len(AREA.labels.classes)
    fine, coarse = cube_inputs(ModelInputs())
    bands = Normalise(np.zeros(10), np.ones(10))(fine, coarse)
    bias = keras.initializers.Constant(np.eye(classes)[value - 1] * 20)
    logits = keras.layers.Conv2D(classes, 1, kernel_initializer="zeros", bias_initializer=bias)(bands)
    export(keras.Model([fine, coarse], keras.layers.Softmax()(logits)), ModelInputs(), folder / "saved")
    pack(folder / "saved", folder / "model.tar")
    return folder / "model.tar"


def main() -> None:
    """Compare the commonest class with the rarest, in both orders, and with nothing held out for both."""
    set_environment()
    from services.trainer.process import process

    pin(0)  # before TensorFlow makes the models below: its threads are fixed once for a process

    root, cube = Path(sys.argv[1]), FakeCube(AREA, ("2018-W20", "2018-W25"))
    counts = count_blocks(cube.given, len(AREA.labels.classes))
    holdout = deal_holdout(counts)
    (root / "hold-out.json").write_text(write_split(AREA, holdout))
    numbered = HoldOutFacts(number=3, labels=(), blocks={}, classes={}).properties()
    dealt = Item({"id": "clc-3--v1-00000000", "collection": "hold-outs", "properties": numbered}, "static")
    hold_out = LocalItem(dealt, {"hold_out": root / "hold-out.json"})
    pixels = counts[holdout == 2].sum(axis=0)
    models = {}
    for name, value in (("common", pixels.argmax() + 1), ("rare", pixels.argmin() + 1)):
        (root / name).mkdir()
        item = Item({"id": f"{name}--v1-00000000", "collection": "models", "properties": TIMES, "assets": {}}, "static")
        (root / name / "split.json").write_text(write_split(AREA, holdout))
        models[name] = LocalItem(
            item, {"model": constant_model(root / name, int(value)), "split": root / name / "split.json"}
        )
    nowhere = root / "nowhere.json"
    nowhere.write_text(write_split(AREA, np.minimum(holdout, 1)))
    half = root / "half.json"
    half.write_text(write_split(AREA, np.where(np.arange(holdout.shape[1]) % 2, holdout, 1)))
    models["half"] = LocalItem(models["rare"].item, {"model": models["rare"].paths["model"], "split": half})
    models["imported"] = LocalItem(models["common"].item, {"model": models["common"].paths["model"]})
    models["unseen"] = LocalItem(models["rare"].item, {"model": models["rare"].paths["model"], "split": nowhere})
    found: dict[str, object] = {}
    for challenger, champion, allowance in (
        ("common", "rare", 0.0),
        ("rare", "common", 0.005),
        ("unseen", "common", 0.005),
        ("common", "unseen", 0.005),
        ("imported", "rare", 0.0),
        ("half", "common", 0.005),
        ("common", "half", 0.005),
    ):
        inputs = (models[challenger], models[champion], hold_out)
        sources = tuple(Source(i.item) for i in inputs)
        job = Job(
            "evaluations",
            "small",
            "static",
            sources,
            {"percent": 90},
            notes={"allowance": allowance, "promotion": "small-000001"},
        )
        task = Task(job, inputs, (), None, AREA, STAGE.settings(), root, cube)  # type: ignore[arg-type]
        found[f"{challenger} {champion} {allowance}"] = process(task).properties
    (root / "found.json").write_text(
        json.dumps({"held_out": int((holdout == 2).sum()), "blocks": found}, allow_nan=False)
    )


if __name__ == "__main__":
    main()
