"""The declaration of inference: one map for each sheet, week, ledger and model."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from shared.area import Area
from shared.items.catalogue import Catalogue, Sheet
from shared.items.item import Item
from shared.stage import AFFECTS_RESULT, Deployment, Job, Settings, Source, Stage


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
    jobs = (_job(sheet, week, model, catalogue, settings) for sheet, week in _wanted(pairs, catalogue, area))
    return [job for job in jobs if job is not None]


def _wanted(pairs: list[tuple[Sheet, str]], catalogue: Catalogue, area: Area) -> list[tuple[Sheet, str]]:
    """Those of the last weeks that hold data, newest first, and those whose ledger no model has mapped yet."""
    recent = sorted({week for _, week in catalogue.sheet_weeks()}, reverse=True)[: area.policy.remap]
    mapped = {
        (sheet_of_json(m.properties["landstream:sheet"]), m.week, m.properties["landstream:ledger"])
        for m in catalogue.items("land-cover-maps")
    }
    newest_first = sorted(pairs, key=lambda p: p[1], reverse=True)
    return [p for p in newest_first if p[1] in recent or (*p, catalogue.ledger_digest(*p)) not in mapped]


def _job(sheet: Sheet, week: str, model: Item, catalogue: Catalogue, settings: InferenceSettings) -> Job | None:
    ledger = catalogue.ledger_digest(sheet, week)
    if ledger is None:
        return None
    updates = tuple(Source(u, ()) for u in catalogue.updates_of(sheet, week))
    return Job(
        collection="land-cover-maps",
        product=f"{catalogue.area.name}_{week}_r{sheet[0]:02d}c{sheet[1]:02d}_{ledger}",
        week=week,
        inputs=(Source(model, () if settings.serving_address else ("model",)), *updates),
        parameters={"sheet": list(sheet), "ledger": ledger},
    )


def sheet_of_json(value: Sequence[int]) -> Sheet:
    """A sheet as JSON holds it."""
    return int(value[0]), int(value[1])


STAGE = Stage(
    name="inference",
    version=1,
    consumes=("cube-updates", "models"),
    publishes=("land-cover-maps",),
    plan=plan,
    process="services.inference.process:process",
    settings=InferenceSettings,
    cube="read",
    warm_up="services.inference.process:warm_up",
    deployment=Deployment(
        image="tensorflow",
        p99_s=600,
        p99_reason="Not measured at full size: 10 minutes for a sheet of 8,192 px are assumed.",
        memory_reason="A worker peaks at 1.5 GB, the service beside it takes 150 MB.",
        memory_limit_mb=4096,
        cpu=1,
    ),
)
