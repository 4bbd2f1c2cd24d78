"""The trainer's declaration: a training request becomes a model, once for each cube state."""

from __future__ import annotations

from shared.area import Area
from shared.items.catalogue import Catalogue
from shared.items.item import Item
from shared.items.keys import STATIC
from shared.stage import Deployment, Job, Settings, Source, Stage


def plan(item: Item, catalogue: Catalogue, area: Area, settings: Settings) -> list[Job]:
    """One training of the cube state that the request names, while it is still the cube's."""
    state = catalogue.cube_state()
    if item.properties.get("landstream:cube_state") != state:
        return []  # void: a newer request stands for what the cube holds now
    if not catalogue.current("land-cover-labels") or not catalogue.sheet_weeks():
        return []  # nothing to train on
    parameters = {"cube_state": state, "training": area.policy.training.model_dump(mode="json")}
    return [Job("models", area.name, STATIC, (Source(item, ()),), parameters)]


STAGE = Stage(
    name="trainer",
    version=1,
    consumes=("training-requests",),
    publishes=("models",),
    plan=plan,
    process="services.trainer.process:process",
    cube="read",
    warm_up="services.trainer.process:warm_up",
    timeout_s=24 * 3600.0,
    memory_mb=6144,
    deployment=Deployment(
        image="tensorflow",
        p99_s=3600,
        p99_reason="Not measured at full size: an hour is assumed. A longer one that is interrupted is done again.",
        memory_mb=2816,
        memory_reason="A worker peaks at 2.5 GB, the service beside it takes 150 MB.",
        memory_limit_mb=6144,
        cpu=2,
        cpu_limit=8,
        jobs_each=1,
        job_each=True,
    ),
)
