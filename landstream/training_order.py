"""Order a training by hand, whatever the area's policy says."""

from __future__ import annotations

from services.sweeper.requests import request_training, training_request
from services.sweeper.schedule import nothing_to_train_on
from shared.area import Area
from shared.items.collections import REQUESTS
from shared.items.summary import current_labels, summaries
from shared.run.context import Context
from shared.stage import registry
from shared.stage.due import State, plan_jobs
from shared.store import Store

ASKED_BY = "person"


class NothingToTrain(ValueError):
    """Raised when there is nothing to train on, or it was asked for before."""


def order_training(store: Store, area: Area) -> str:
    """Create the training request of the present cube state and the area's settings, and return its key.

    Raises:
        NothingToTrain: the cube holds nothing to train on, or there is such a request already.
    """
    catalogue = Context.of_store(store, area).reader.snapshot()
    weeks, labels = summaries(catalogue), current_labels(catalogue)
    if reason := nothing_to_train_on(weeks, labels):
        raise NothingToTrain(reason)
    key = request_training(store, catalogue, weeks, area, ASKED_BY)
    if key is not None:
        return key
    request = catalogue.get(REQUESTS, training_request(weeks, labels, area)[0].rpartition("/")[2].removesuffix(".json"))
    trainer = registry.load("trainer")
    for due in plan_jobs(trainer, request, catalogue, trainer.settings()):
        if due.state is State.DONE:
            raise NothingToTrain(f"{due.output_id}: was trained on just this; add data, or change `training`")
        if due.state is State.FAILED:
            raise NothingToTrain(f"{due.id}: was tried and failed; `landstream requeue {due.id}` has it tried again")
    raise NothingToTrain(f"{request.id}: is asked for already; the next `run`, or the trainer, trains it")
