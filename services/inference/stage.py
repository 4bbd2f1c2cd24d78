"""The declaration of inference: one map for each sheet, week, ledger and model."""

from __future__ import annotations

from pydantic import Field

from services.inference.current_map import is_current_map, sheet_of_json
from services.inference.maps import plan_maps, plan_remap
from services.inference.reads import concerned, expected_ledger
from services.inference.trials import is_current_trial, plan_trials_of, plan_trials_of_update
from shared.area import Area
from shared.items.catalogue import Catalogue
from shared.items.champion import challenger, champion
from shared.items.collections import MAPS, MODELS, PROMOTIONS, REQUESTS, TRIALS, UPDATES
from shared.items.item import Item
from shared.items.model_inputs import inputs_of_model
from shared.stage.declare import AFFECTS_RESULT, Collection, Job, Settings, Stage
from shared.stage.deployment import Deployment


class InferenceSettings(Settings):
    """Settings of inference."""

    serving_address: str = ""
    """`HOST:PORT` of a TensorFlow Serving-compatible server that holds the area's models; empty = an embedded one."""
    serving_deadline_s: float = Field(default=120.0, gt=0)
    """Seconds that a request of up to four windows may take; the first one waits until the model is loaded."""
    serving_max_message_mb: int = Field(default=64, ge=1, le=1024)
    """Largest gRPC message in MiB in either direction; an answer takes up to 0.25 MiB per class, a request 16 MiB."""
    overlap_px: int = Field(default=64, ge=8, le=128, multiple_of=8, json_schema_extra=AFFECTS_RESULT)
    """Pixels (of 10 m) that neighbouring windows share: a quarter on each side is dropped, the rest is blended."""


def plan(item: Item, catalogue: Catalogue, area: Area, settings: InferenceSettings) -> list[Job]:
    """Plan the maps of what a cube update changed, or of the last weeks for a new champion or challenger."""
    assets = () if settings.serving_address else ("model",)
    if item.collection == MODELS:
        return plan_trials_of(item, catalogue, assets)
    model = champion(catalogue)
    if model is None or not catalogue.is_current(item):
        return []
    if item.collection == PROMOTIONS:
        return list(plan_remap(model, catalogue, assets))
    maps = concerned(item, inputs_of_model(model), catalogue)
    return [
        *(job for week, sheets in maps for job in plan_maps(sheets, week, model, catalogue, assets)),
        *plan_trials_of_update(item, catalogue, assets),
    ]


def is_wanted(job: Job, catalogue: Catalogue) -> bool:
    """Return whether a map's model is still the champion, or challenger, and its ledger still the one expected."""
    model = challenger(catalogue) if job.collection == TRIALS else champion(catalogue)
    if model is None or model.id != job.inputs[0].item.id:
        return False
    sheet, inputs = sheet_of_json(job.parameters["sheet"]), inputs_of_model(model)
    return bool(expected_ledger(sheet, job.week, inputs, catalogue) == job.parameters["ledger"])


STAGE = Stage(
    name="inference",
    version=2,
    consumes=(UPDATES, PROMOTIONS, MODELS),
    publishes=(
        Collection(MAPS, "Land-cover maps", "Class and confidence of a sheet in a week.", current=is_current_map),
        Collection(
            TRIALS,
            "Land-cover trials",
            "Maps of a share of the sheets by the challenger, for looking only.",
            current=is_current_trial,
        ),
    ),
    plan=plan,
    process="services.inference.process:process",
    settings=InferenceSettings,
    wanted=is_wanted,
    swept=(UPDATES,),  # every map is due from the updates of its own week: none is read but those that it shows
    cube="read",
    warm_up="services.inference.process:warm_up",
    warm_on=(REQUESTS, PROMOTIONS),
    deployment=Deployment(
        image="tensorflow",
        p99_s=600,
        p99_reason="Not measured at full size: 10 minutes for a sheet of 8,192 px are assumed.",
        memory_reason="A worker peaks at 1.5 GB, the service beside it takes 150 MB.",
        memory_limit_mb=4096,
        cpu=1,
    ),
)
