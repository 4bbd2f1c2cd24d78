"""The trainer's declaration: a training request becomes a model, once for each cube state and training settings."""

from __future__ import annotations

from shared.area import Area
from shared.items.catalogue import Catalogue
from shared.items.champion import is_champion
from shared.items.collections import MODELS, REQUESTS, UPDATES
from shared.items.item import Item
from shared.items.properties import RequestFacts
from shared.items.summary import present_state
from shared.items.weeks import STATIC
from shared.stage.declare import Collection, Job, Settings, Stage
from shared.stage.deployment import Deployment
from shared.stage.source import Source


def plan(item: Item, catalogue: Catalogue, area: Area, settings: Settings) -> list[Job]:
    """Plan the training that a request asks for, while the cube's state is the one that it names."""
    facts = RequestFacts.of(item)
    if facts.cube_state != present_state(catalogue):
        return []  # void: a newer request stands for what the cube holds now
    parameters = {"cube_state": facts.cube_state, "training": facts.training}
    return [Job(MODELS, area.name, STATIC, (Source(item, ()),), parameters)]


STAGE = Stage(
    name="trainer",
    version=2,
    consumes=(REQUESTS,),
    publishes=(Collection(MODELS, "Models", "Trained networks with their model cards.", current=is_champion),),
    plan=plan,
    process="services.trainer.process:process",
    cube="read",
    warm_up="services.trainer.process:warm_up",
    warm_on=(UPDATES,),
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
