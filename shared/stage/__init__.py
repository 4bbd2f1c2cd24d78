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
    Scratch,
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
    "Scratch",
    "Settings",
    "Source",
    "Stage",
    "Task",
    "published",
]
