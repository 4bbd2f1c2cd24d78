"""The sweep: lists what is due and hints it again; alone it completes any run after any crash."""

from services.sweeper.driver import TrainingPolicy, nothing_to_train_on, refresh_collections, request_training, upstream
from services.sweeper.sweep import Sweep, publish_hint, source_key

__all__ = [
    "Sweep",
    "TrainingPolicy",
    "nothing_to_train_on",
    "publish_hint",
    "refresh_collections",
    "request_training",
    "source_key",
    "upstream",
]
