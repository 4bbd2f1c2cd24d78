"""The connection to a model server: the one that is given, or the embedded one of this worker."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from services.inference.launch import Embedded
from services.inference.stage import InferenceSettings
from shared.items.model_archive import UnsafeModel
from shared.items.properties import ModelFacts
from shared.stage import RejectScene, Task

if TYPE_CHECKING:
    from services.inference.client import Client


def connect(task: Task[InferenceSettings]) -> Client:
    """Connect to the given server, or to the embedded one, which is then given the model.

    Raises:
        RejectScene: the model's archive is not a plain SavedModel.
    """
    settings, model = task.settings, task.inputs[0]
    facts = ModelFacts.of(model.item)
    name, version = facts.model_name, facts.model_version
    if not settings.serving_address:
        try:
            embedded().offer(model.paths["model"], name, version)
        except UnsafeModel as error:
            raise RejectScene(model.item.id, str(error), "make it again: `landstream reprocess trainer`") from error
    load()
    from services.inference.client import Client

    address = settings.serving_address or embedded().address()
    limit = settings.serving_max_message_mb * 1024 * 1024
    return Client(address, name, version, settings.serving_deadline_s, limit)


def load() -> None:
    """Load the client."""
    import services.inference.client  # noqa: F401 - loaded for later


@cache
def embedded() -> Embedded:
    """Return this worker's server: started for its first map, kept for the next ones."""
    return Embedded()
