"""Stages: their declaration, and the one runner that fetches, runs, uploads, commits and records failures."""

from shared.stage.declare import (
    AFFECTS_RESULT,
    Job,
    LocalItem,
    NewAsset,
    NewItem,
    RejectScene,
    RetryLater,
    Settings,
    Source,
    Stage,
    Task,
    published,
)
from shared.stage.deployment import Deployment

__all__ = [
    "AFFECTS_RESULT",
    "Deployment",
    "Job",
    "LocalItem",
    "NewAsset",
    "NewItem",
    "RejectScene",
    "RetryLater",
    "Settings",
    "Source",
    "Stage",
    "Task",
    "published",
]
