"""The declaration of inference: one map for each sheet, week, ledger and model."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from shared.area import Area
from shared.items.catalogue import Catalogue, Sheet
from shared.items.item import Item
from shared.items.keys import rfc3339, week_bounds
from shared.stage.declare import AFFECTS_RESULT, Job, NewAsset, NewItem, RetryLater, Settings, Source, Stage, Task

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
        RetryLater: the cube does not hold yet what the map is planned of, or the server not yet the model.
    """
    from services.inference.blend import CONFIDENCE_NODATA, blend, lay_windows
    from services.inference.describe import (
        CLASSIFICATION,
        PROJECTION,
        areas_of,
        attribute,
        classes_of,
        extent_of,
        outline,
        transform_of,
    )
    from services.inference.predict import predict_rows
    from services.inference.write import write_classes, write_confidence, write_quicklook

    assert task.cube is not None
    area, cube, job, folder = task.area, task.cube, task.job, task.folder
    row, col = job.parameters["sheet"]
    held = cube.ledger_digest((row, col), job.week)
    if held != job.parameters["ledger"]:
        raise RetryLater(
            f"the cube holds ledger {held} of sheet {(row, col)}, the map is of {job.parameters['ledger']}"
        )

    grid, scheme, overlap = area.grid, area.labels, task.settings.overlap_px
    extent = extent_of((row, col), grid)
    values = np.zeros((extent.ny, extent.nx), np.uint8)
    confidence = np.full((extent.ny, extent.nx), CONFIDENCE_NODATA, np.uint8)
    rows = lay_windows(extent, cube.observed(job.week), overlap)
    predict = predict_rows(cube, job.week, _client(task), len(scheme.classes), task.progress, sum(map(len, rows)))
    for strip in blend(rows, predict, extent, len(scheme.classes), overlap):
        part = slice(strip.top, strip.top + len(strip.values))
        values[part], confidence[part] = strip.values, strip.confidence

    line, transform = attribute(job.week, area), transform_of(extent, grid)
    classes = {value: (c.name, c.color) for value, c in scheme.values.items()}
    write_classes(folder / "land_cover.tif", values, grid.crs, transform, classes, line)
    write_confidence(folder / "confidence.tif", confidence, grid.crs, transform, line)
    write_quicklook(folder / "quicklook.png", values, classes, f"{area.name}, {job.week}, sheet {row}, {col}", line)

    start, end = week_bounds(job.week)
    geometry, bbox = outline(extent, grid)
    model = task.inputs[0].item
    properties: dict[str, Any] = {
        "datetime": None,
        "start_datetime": rfc3339(start),
        "end_datetime": rfc3339(end),
        "gsd": 10,
        "proj:code": grid.crs,
        "proj:shape": [extent.ny, extent.nx],
        "proj:transform": list(transform),
        "landstream:sheet": [row, col],
        "landstream:ledger": job.parameters["ledger"],
        "landstream:model": model.id,
        "landstream:observed_percent": round(100 * float(np.count_nonzero(values)) / values.size, 3),
        "landstream:classes": areas_of(values, scheme),
        "landstream:attribution": line,
    }
    tiff = "image/tiff; application=geotiff; profile=cloud-optimized"
    seen = {"classification:classes": classes_of(scheme), "nodata": 0, "data_type": "uint8"}
    return NewItem(
        geometry=geometry,
        bbox=bbox,
        properties=properties,
        assets={
            "land_cover": NewAsset(folder / "land_cover.tif", tiff, ("data",), "Land cover", seen),
            "confidence": NewAsset(
                folder / "confidence.tif",
                tiff,
                ("data",),
                "Share of the chosen class",
                {"nodata": CONFIDENCE_NODATA, "data_type": "uint8", "unit": "%"},
            ),
            "quicklook": NewAsset(
                folder / "quicklook.png", "image/png", ("overview", "thumbnail"), "Land cover, drawn"
            ),
        },
        extensions=(CLASSIFICATION, PROJECTION),
    )


def _client(task: Task) -> Client:
    """A connection to the given server, or to the embedded one, which is then given the model."""
    settings, model = task.settings, task.inputs[0]
    name, version = model.item.properties["landstream:model_name"], model.item.properties["landstream:model_version"]
    if not settings.serving_address:
        _embedded().offer(model.paths["model"], name, version)
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
