"""The declaration of inference: one map for each sheet, week, ledger and model."""

from __future__ import annotations

import os
from contextlib import closing
from functools import cache
from typing import TYPE_CHECKING

from pydantic import Field

from shared.area import Area
from shared.items.catalogue import Catalogue, Sheet
from shared.items.item import Item
from shared.stage.declare import AFFECTS_RESULT, Job, NewItem, RejectScene, RetryLater, Settings, Source, Stage, Task

if TYPE_CHECKING:
    from services.inference.client import Client
    from services.inference.launch import Embedded


class InferenceSettings(Settings):
    """Settings of inference."""

    serving_address: str = ""
    """host:port of a TF Serving-compatible server that holds the area's models; empty = an embedded server."""
    serving_deadline_s: float = Field(default=120.0, gt=0)
    """Seconds for one request of four windows; the first one waits for the model to load."""
    serving_max_message_mb: int = Field(default=64, ge=1, le=1024)
    """Largest gRPC message in MiB, both ways; an answer of four windows takes 0.25 MiB a class."""
    overlap_px: int = Field(default=64, ge=8, le=128, multiple_of=8, json_schema_extra=AFFECTS_RESULT)
    """What neighbouring windows share: a quarter on each side is dropped, the rest is blended."""


def plan(item: Item, catalogue: Catalogue, area: Area, settings: InferenceSettings) -> list[Job]:
    """Maps of what a cube update changed, or of everything for the current model."""
    model = catalogue.current_model()
    if model is None:
        return []
    if item.collection == "models":
        pairs = catalogue.sheet_weeks() if item.id == model.id else []
    else:
        pairs = catalogue.sheets_of(item) if catalogue.is_current(item) else []
    jobs = []
    for sheet, week in pairs:
        ledger = catalogue.ledger_digest(sheet, week)
        if ledger is not None:
            jobs.append(_job(sheet, week, ledger, model, area, settings))
    return jobs


def _job(sheet: Sheet, week: str, ledger: str, model: Item, area: Area, settings: InferenceSettings) -> Job:
    assets = () if settings.serving_address else ("model",)
    return Job(
        collection="land-cover-maps",
        product=f"{area.name}_{week}_r{sheet[0]:02d}c{sheet[1]:02d}_{ledger[:16]}",
        week=week,
        inputs=(Source(model, assets),),
        parameters={"sheet": list(sheet), "ledger": ledger},
    )


def process(task: Task) -> NewItem:
    """Predict and write the map of a sheet in a week.

    Raises:
        RetryLater: the cube does not hold yet what the map is planned of, or a given server not yet the model.
        RejectScene: the model's archive is no plain SavedModel.
    """
    from services.inference.blend import map_extent
    from services.inference.describe import EXTENSIONS, describe, describe_assets, extent_of, outline
    from services.inference.predict import Windows
    from services.inference.write import write_map

    assert task.cube is not None
    area, cube, job = task.area, task.cube, task.job
    sheet = (int(job.parameters["sheet"][0]), int(job.parameters["sheet"][1]))
    held = cube.ledger_digest(sheet, job.week)
    if held != job.parameters["ledger"]:
        raise RetryLater(f"the cube holds ledger {held} of sheet {sheet}, the map is of {job.parameters['ledger']}")
    extent, classes = extent_of(sheet, area.grid), len(area.labels.classes)
    with closing(_client(task)) as client:
        predict = Windows(cube, job.week, client, classes, bool(task.settings.serving_address)).predict
        observed, overlap = cube.observed(job.week), task.settings.overlap_px
        values, confidence = map_extent(extent, observed, predict, classes, overlap, task.progress)
    properties = describe(area, job, task.inputs[0].item.id, extent, values)
    write_map(task.folder, values, confidence, properties, area.labels)
    geometry, bbox = outline(extent, area.grid)
    return NewItem(geometry, bbox, properties, describe_assets(task.folder, area.labels), extensions=EXTENSIONS)


def _client(task: Task) -> Client:
    """A connection to the given server, or to the embedded one, which is then given the model."""
    settings, model = task.settings, task.inputs[0]
    name, version = model.item.properties["landstream:model_name"], model.item.properties["landstream:model_version"]
    if not settings.serving_address:
        from services.inference.launch import UnsafeModel

        try:
            _embedded().offer(model.paths["model"], name, version)
        except UnsafeModel as error:
            raise RejectScene(model.item.id, str(error), "make it again: `landstream reprocess trainer`") from error
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # a machine without GPU is no error
    from services.inference.client import Client  # loads TensorFlow, for its protocol, while the server starts

    address = settings.serving_address or _embedded().address()
    limit = settings.serving_max_message_mb * 1024 * 1024
    return Client(address, name, version, settings.serving_deadline_s, limit)


@cache
def _embedded() -> Embedded:
    """This worker's server: started for its first map, kept for the next ones."""
    from services.inference.launch import Embedded

    return Embedded()


STAGE = Stage(
    name="inference",
    version=1,
    consumes=("cube-updates", "models"),
    publishes=("land-cover-maps",),
    plan=plan,
    process=process,
    settings=InferenceSettings,
    cube="read",
)
