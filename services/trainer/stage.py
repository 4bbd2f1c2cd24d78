"""The trainer's declaration: a training request becomes a model, and a model is compared with the champion.

Each happens once: for a cube state and training settings, and for a challenger. Both read one hold-out, which is made
as the first training of some labels wants it. A model that people bring is scored on the newest one, once, and then
compared as any other.
"""

from __future__ import annotations

from services.trainer.hold_outs import HOLD_OUT, are_in_cube, deals, is_newest_hold_out, newest_hold_out, plan_hold_out
from services.trainer.judging import is_with_champion, plan_judging
from shared.area import Area
from shared.items.catalogue import Catalogue
from shared.items.champion import is_champion
from shared.items.collections import EVALUATIONS, HOLD_OUTS, MODEL_IMPORTS, MODELS, REQUESTS, UPDATES
from shared.items.item import Item
from shared.items.model_imports import ARCHIVE, CARD
from shared.items.properties import RequestFacts
from shared.items.summary import current_labels, present_state
from shared.items.weeks import STATIC
from shared.stage.declare import Collection, Job, Settings, Stage
from shared.stage.deployment import Deployment
from shared.stage.source import Source


def plan(item: Item, catalogue: Catalogue, area: Area, settings: Settings) -> list[Job]:
    """Plan the training that a request asks for, while the cube's state is the one that it names; or a comparison."""
    if item.collection == MODELS:
        return plan_judging(item, catalogue) if area.promote == "better" else []
    if item.collection == HOLD_OUTS:
        if not is_newest_hold_out(item, catalogue):
            return []
        trainings = [_plan_training(request, catalogue, area) for request in catalogue.items(REQUESTS)]
        imports = [_plan_import(brought, catalogue, area) for brought in catalogue.items(MODEL_IMPORTS)]
        return [job for jobs in (*trainings, *imports) for job in jobs]
    if item.collection == MODEL_IMPORTS:
        return _plan_import(item, catalogue, area)
    return _plan_training(item, catalogue, area)


def _plan_training(request: Item, catalogue: Catalogue, area: Area) -> list[Job]:
    """Plan the training that a request asks for, or before it the hold-out of its labels, once the cube holds them.

    Labels are current before they are merged; a hold-out of blocks that are yet without labels would be empty for good.
    """
    facts = RequestFacts.of(request)
    if facts.cube_state != present_state(catalogue):
        return []  # void: a newer request stands for what the cube holds now
    newest, labels = newest_hold_out(catalogue), current_labels(catalogue)
    if newest is None or not deals(newest, labels):
        return [plan_hold_out(labels, newest, catalogue)] if are_in_cube(labels, catalogue) else []
    parameters = {"cube_state": facts.cube_state, "training": facts.training}
    hold_out = Source(newest, (HOLD_OUT,))
    return [Job(MODELS, area.name, STATIC, (Source(request, ()),), parameters, context=(hold_out,))]


def _plan_import(brought: Item, catalogue: Catalogue, area: Area) -> list[Job]:
    """Plan the check and the scoring of an imported model, once there is a hold-out.

    The hold-out does not enter its key: a later one makes no second model of the same weights, and a comparison with
    the champion reads the newest one anyway.
    """
    newest = newest_hold_out(catalogue)
    if newest is None or not {ARCHIVE, CARD} <= brought.assets.keys():
        return []
    hold_out = Source(newest, (HOLD_OUT,))
    return [Job(MODELS, area.name, STATIC, (Source(brought, (ARCHIVE, CARD)),), context=(hold_out,))]


STAGE = Stage(
    name="trainer",
    version=3,  # 3: means over squares by convolutions; other bits
    consumes=(REQUESTS, HOLD_OUTS, MODELS, MODEL_IMPORTS),
    publishes=(
        Collection(MODELS, "Models", "Networks, trained here or brought, with their model cards.", current=is_champion),
        Collection(
            HOLD_OUTS,
            "Hold-outs",
            "Blocks of labelled ground that models are tested on, and never trained on.",
            current=is_newest_hold_out,
        ),
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
    checkpoints=True,
    warm_up="services.trainer.process:warm_up",
    warm_on=(UPDATES,),
    timeout_s=24 * 3600.0,
    memory_mb=6144,
    deployment=Deployment(
        image="tensorflow",
        p99_s=3600,
        p99_reason="Not measured at full size: an hour is assumed. A longer one goes on where it was ended.",
        memory_mb=2816,
        memory_reason="A worker peaks at 2.5 GB, the service beside it takes 150 MB.",
        memory_limit_mb=6144,
        cpu=2,
        cpu_limit=8,
        jobs_each=1,
        job_each=True,
    ),
)
