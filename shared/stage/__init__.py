"""Stages: what one is, what it is made of, what is due."""

from shared.stage.declare import (
    AFFECTS_RESULT,
    AnyStage,
    BrokenPicture,
    Collection,
    Job,
    LocalItem,
    LocalUnit,
    NewAsset,
    NewItem,
    RejectScene,
    RetryLater,
    Settings,
    Stage,
    Task,
    published,
)
from shared.stage.deployment import Deployment
from shared.stage.source import LandingSource, Source

__all__ = [
    "AFFECTS_RESULT",
    "AnyStage",
    "BrokenPicture",
    "Collection",
    "Deployment",
    "Job",
    "LandingSource",
    "LocalItem",
    "LocalUnit",
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
