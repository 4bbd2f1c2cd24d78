"""The trainer's declaration: a training request becomes a model, once for each cube state."""

from __future__ import annotations

import json
from typing import Any

from services.trainer.describe import MLM, describe
from shared.area import Area
from shared.items.catalogue import Catalogue
from shared.items.item import Item
from shared.items.keys import STATIC, rfc3339, week_bounds
from shared.stage.declare import Job, NewAsset, NewItem, Settings, Source, Stage, Task
from shared.stage.due import job_digest

CLASSIFICATION = "https://stac-extensions.github.io/classification/v2.0.0/schema.json"


def plan(item: Item, catalogue: Catalogue, area: Area, settings: Settings) -> list[Job]:
    """One training of the cube state that the request names, while it is still the cube's."""
    state = catalogue.cube_state()
    if item.properties.get("landstream:cube_state") != state:
        return []  # void: a newer request stands for what the cube holds now
    if not catalogue.current("land-cover-labels") or not catalogue.sheet_weeks():
        return []  # nothing to train on
    parameters = {"cube_state": state, "training": area.policy.training.model_dump(mode="json")}
    return [Job("models", area.name, STATIC, (Source(item, ()),), parameters)]


def process(task: Task) -> NewItem:
    """Train, score, export and describe.

    Raises:
        RejectScene: there is nothing to train on.
    """
    # Here, not above: planning must not wait seconds for TensorFlow.
    from services.trainer.card import write_card
    from services.trainer.export import export, pack, probe_sha256, weights_sha256
    from services.trainer.split import BLOCK_PX, BUFFER_PX
    from services.trainer.train import train

    assert task.cube is not None
    area, folder = task.area, task.folder
    snapshot = task.cube.snapshot
    task.cube.keep(f"trained-{snapshot}")  # what a model was trained on stays readable
    outcome = train(task.cube, area, task.progress)

    saved = folder / "saved_model"
    export(outcome.model, saved)
    pack(saved, folder / "model.tar")
    split = {
        "block_px": BLOCK_PX,
        "buffer_px": BUFFER_PX,
        "pixel_m": 10,
        "epsg": area.grid.epsg,
        "origin_m": [area.grid.origin_x_m, area.grid.origin_y_m],
        "legend": {
            "holdout": "one row of blocks a line: 0 unlabelled, 1 train, 2 hold-out",
            "fold": "0 unlabelled, else the fold that tests the block",
        },
        "holdout": _lines(outcome.holdout),
        "fold": _lines(outcome.fold),
    }
    (folder / "split.json").write_text(json.dumps(split, indent=1) + "\n", encoding="utf-8")

    start, end = week_bounds(outcome.weeks[0])[0], week_bounds(outcome.weeks[-1])[1]
    properties: dict[str, Any] = {
        "datetime": None,
        "start_datetime": rfc3339(start),
        "end_datetime": rfc3339(end),
        "landstream:cube_state": task.job.parameters["cube_state"],
        "landstream:snapshot": snapshot,
        "landstream:weeks": list(outcome.weeks),
        "landstream:windows": outcome.windows,
        "landstream:metrics": outcome.metrics,
        "landstream:folds": outcome.folds,
        "landstream:weights_sha256": weights_sha256(outcome.model),
        "landstream:probe_sha256": probe_sha256(saved),
        "landstream:model_name": area.name,
        "landstream:model_version": version_of(task.job, task.settings),
        "landstream:classes": {str(v): {"code": c.code, "name": c.name} for v, c in area.labels.values.items()},
        "landstream:determinism": outcome.determinism,
        "landstream:attribution": attribute(outcome.weeks, area),
        **describe(area, outcome.model.count_params(), outcome.determinism),
    }
    card = write_card(
        f"Land-cover model of {area.name}",
        {str(value): c.color for value, c in area.labels.values.items()},
        outcome.metrics,
        outcome.folds,
        outcome.losses,
        outcome.holdout,
        {
            "weeks": f"{outcome.weeks[0]} to {outcome.weeks[-1]} ({len(outcome.weeks)})",
            "windows used, of": json.dumps(outcome.windows),
            "label scheme, year": f"{area.labels.scheme}, {area.label_year}",
            "level": area.level,
            "training": json.dumps(task.job.parameters["training"]),
            "pinned": json.dumps(outcome.determinism),
            "version": str(properties["landstream:model_version"]),
            "weights sha256": properties["landstream:weights_sha256"],
            "probe sha256": properties["landstream:probe_sha256"],
            "cube state": properties["landstream:cube_state"],
            "snapshot": snapshot,
        },
        properties["landstream:attribution"],
    )
    (folder / "card.html").write_text(card, encoding="utf-8")
    polygon = area.polygon
    return NewItem(
        geometry=area.aoi,
        bbox=polygon.bounds,
        properties=properties,
        assets={
            "model": NewAsset(
                folder / "model.tar",
                "application/x-tar",
                ("mlm:model",),
                "TensorFlow SavedModel, one folder in an uncompressed tar",
                {"mlm:artifact_type": "tf.keras.Model.export"},
            ),
            "card": NewAsset(folder / "card.html", "text/html", ("metadata", "overview"), "Model card"),
            "split": NewAsset(
                folder / "split.json", "application/json", ("metadata",), "Blocks for training and tests"
            ),
        },
        extensions=(MLM, CLASSIFICATION),
    )


def version_of(job: Job, settings: Settings) -> int:
    """The version folder that TF Serving wants: the digest in the item's id, as a number."""
    return int(job_digest(STAGE, job, settings), 16)


def attribute(weeks: tuple[str, ...], area: Area) -> str:
    """The attribution of something derived from scenes of some weeks and the area's labels."""
    years = ", ".join(sorted({week[:4] for week in weeks}))
    line = f"Contains modified Copernicus Sentinel data [{years}]"
    return f"{line}; {area.labels.attribution}" if area.labels.attribution else line


def _lines(blocks: Any) -> list[str]:
    return ["".join(map(str, row)) for row in blocks.tolist()]


STAGE = Stage(
    name="trainer",
    version=1,
    consumes=("training-requests",),
    publishes=("models",),
    plan=plan,
    process=process,
    cube="read",
    timeout_s=24 * 3600.0,
    memory_mb=6144,
)
