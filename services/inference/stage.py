"""The declaration of inference: one map for each sheet, week, ledger and model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import Field

from services.inference.current_map import is_current_map, is_mapped, sheet_of_json
from services.inference.trials import is_current_trial, on_trial
from shared.area import Area
from shared.items.catalogue import Catalogue
from shared.items.champion import challenger, champion
from shared.items.collections import MAPS, MODELS, PROMOTIONS, REQUESTS, TRIALS, UPDATES
from shared.items.item import Item
from shared.items.sheets import Sheet
from shared.items.summary import remapped_weeks
from shared.items.tiles import MSI, touches, week_tiles
from shared.stage.declare import AFFECTS_RESULT, Collection, Job, Settings, Stage
from shared.stage.deployment import Deployment
from shared.stage.source import Source


class InferenceSettings(Settings):
    """Settings of inference."""

    serving_address: str = ""
    """`HOST:PORT` of a TensorFlow Serving-compatible server that holds the area's models; empty = an embedded one."""
    serving_deadline_s: float = Field(default=120.0, gt=0)
    """Seconds that a request of four windows may take; the first one waits until the model is loaded."""
    serving_max_message_mb: int = Field(default=64, ge=1, le=1024)
    """Largest gRPC message in MiB in either direction; an answer of four windows takes 0.25 MiB per class."""
    overlap_px: int = Field(default=64, ge=8, le=128, multiple_of=8, json_schema_extra=AFFECTS_RESULT)
    """Pixels (of 10 m) that neighbouring windows share: a quarter on each side is dropped, the rest is blended."""


def plan(item: Item, catalogue: Catalogue, area: Area, settings: InferenceSettings) -> list[Job]:
    """Plan the maps of what a cube update changed, or of the last weeks for a new champion or challenger."""
    if item.collection == MODELS:
        return _trials_of_all(item, catalogue, settings)
    model = champion(catalogue)
    if model is None or not catalogue.is_current(item):
        return []
    if item.collection == PROMOTIONS:
        return list(_remap(model, catalogue, settings))
    if not touches(item, MSI):
        return []
    sheets = week_tiles(catalogue, item.week).sheets.get(item.id, ())
    return [
        *_maps(sheets, item.week, model, catalogue, settings),
        *_trials(sheets, item.week, catalogue, settings),
    ]


def _trials_of_all(model: Item, catalogue: Catalogue, settings: InferenceSettings) -> list[Job]:
    """Plan the trials of a new challenger, newest week first."""
    chosen, _ = on_trial((), catalogue)
    if chosen is None or chosen.id != model.id or champion(catalogue) is None:
        return []
    return [
        job
        for week in reversed(remapped_weeks(catalogue))
        for job in _trials(sorted(week_tiles(catalogue, week).inside), week, catalogue, settings)
    ]


def _trials(sheets: Iterable[Sheet], week: str, catalogue: Catalogue, settings: InferenceSettings) -> Iterator[Job]:
    """Plan the trials of some sheets in one of the last weeks."""
    model, chosen = on_trial(sheets, catalogue)
    if model is not None and week in remapped_weeks(catalogue):
        yield from (_map(sheet, week, model, catalogue, settings, TRIALS) for sheet in chosen)


def _remap(model: Item, catalogue: Catalogue, settings: InferenceSettings) -> Iterator[Job]:
    """Plan the maps of the last weeks, newest first; what older weeks lack is due from their updates."""
    for week in reversed(remapped_weeks(catalogue)):
        known = catalogue.knows(week)
        yield from _maps(sorted(week_tiles(catalogue, week).inside), week, model, catalogue, settings)
        if not known:
            catalogue.let_go(week)


def _maps(
    sheets: Iterable[Sheet], week: str, model: Item, catalogue: Catalogue, settings: InferenceSettings
) -> Iterator[Job]:
    """Plan the maps of some sheets: in one of the last weeks, and where no model has mapped this ledger yet."""
    recent = week in remapped_weeks(catalogue)
    for sheet in sheets:
        job = _map(sheet, week, model, catalogue, settings)
        if recent or not is_mapped(sheet, week, str(job.parameters["ledger"]), catalogue):
            yield job


def _map(
    sheet: Sheet,
    week: str,
    model: Item,
    catalogue: Catalogue,
    settings: InferenceSettings,
    collection: str = MAPS,
) -> Job:
    """Return the map of a sheet; the same object for each of the updates that lead to it."""
    maps = catalogue.once(week, f"{collection} of {model.id}", dict[Sheet, Job])
    if sheet not in maps:
        tiles = week_tiles(catalogue, week)
        ledger = tiles.ledger_digest(sheet)
        maps[sheet] = Job(
            collection=collection,
            product=f"{catalogue.area.name}_{week}_r{sheet[0]:02d}c{sheet[1]:02d}_{ledger}",
            week=week,
            inputs=(
                Source(model, () if settings.serving_address else ("model",)),
                *(Source(update, ()) for update in tiles.around[sheet]),
            ),
            parameters={"sheet": list(sheet), "ledger": ledger},
        )
    return maps[sheet]


def is_wanted(job: Job, catalogue: Catalogue) -> bool:
    """Return whether a map's model is still the champion, or challenger, and its ledger still the one expected."""
    model = challenger(catalogue) if job.collection == TRIALS else champion(catalogue)
    if model is None or model.id != job.inputs[0].item.id:
        return False
    sheet = sheet_of_json(job.parameters["sheet"])
    return bool(week_tiles(catalogue, job.week).ledger_digest(sheet) == job.parameters["ledger"])


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
    swept=(UPDATES,),  # every map is due from the updates that it shows, too: no week is read for another's sake
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
