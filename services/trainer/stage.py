"""The trainer's declaration: a training request becomes a model, and a model is compared with the champion.

Each happens once: for a cube state and training settings, and for a challenger.
"""

from __future__ import annotations

from services.trainer.judging import is_with_champion, plan_judging
from shared.area import Area
from shared.items.catalogue import Catalogue
from shared.items.champion import is_champion
from shared.items.collections import EVALUATIONS, MODELS, REQUESTS, UPDATES
from shared.items.item import Item
from shared.items.properties import RequestFacts
from shared.items.summary import present_state
from shared.items.weeks import STATIC
from shared.stage.declare import Collection, Job, Settings, Stage
from shared.stage.deployment import Deployment
from shared.stage.source import Source


def plan(item: Item, catalogue: Catalogue, area: Area, settings: Settings) -> list[Job]:
    """Plan the training that a request asks for, while the cube's state is the one that it names; or a comparison."""
    if item.collection == MODELS:
        return plan_judging(item, catalogue) if area.promote == "better" else []
    facts = RequestFacts.of(item)
    if facts.cube_state != present_state(catalogue):
        return []  # void: a newer request stands for what the cube holds now
    parameters = {"cube_state": facts.cube_state, "training": facts.training}
    return [Job(MODELS, area.name, STATIC, (Source(item, ()),), parameters)]


STAGE = Stage(
    name="trainer",
    version=2,
    consumes=(REQUESTS, MODELS),
    publishes=(
        Collection(MODELS, "Models", "Trained networks with their model cards.", current=is_champion),
        Collection(
            EVALUATIONS,
            "Evaluations",
            "Models compared with the champion, on blocks that neither has seen.",
            current=is_with_champion,
        ),
    ),
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
