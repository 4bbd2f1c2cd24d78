"""The champion of a store, and an embedded model server on it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from services.inference.launch import Embedded
from shared.items.champion import champion
from shared.items.item import Item
from shared.items.model_archive import UnsafeModel
from shared.items.properties import ModelFacts
from shared.items.stac import asset_key, sha256_of
from shared.run.context import Context
from shared.store import FolderStore

DEADLINE_S = 120.0
"""For a request of four windows; the first one waits until the model is loaded."""

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""Of an answer; one of four windows takes 0.25 MiB for each class."""


class NoModel(ValueError):
    """Raised when a store has no model that can be served; one line says why, and what to do."""


@dataclass(frozen=True)
class Served:
    """A running server.

    Attributes:
        address: `HOST:PORT`.
        model: its model's item.
        server: the process.
    """

    address: str
    model: Item
    server: Embedded

    @property
    def facts(self) -> ModelFacts:
        """What the model's item says."""
        return ModelFacts.of(self.model)


def champion_of(context: Context) -> Item:
    """Return a store's champion.

    Raises:
        NoModel: it has none yet.
    """
    model = champion(context.reader.snapshot())
    if model is None:
        raise NoModel(f"{context.store.location}: no model yet; `landstream run` trains and promotes one")
    return model


@contextmanager
def serve_champion(context: Context, port: int = 0) -> Iterator[Served]:
    """Run an embedded server on a store's champion, on the loopback; it ends with the block.

    Args:
        context: the store.
        port: 0 = any free one.

    Raises:
        NoModel: there is none, or its archive is not a plain SavedModel.
        RuntimeError: the server does not start.
    """
    with serve_model(context, champion_of(context), port) as served:
        yield served


@contextmanager
def serve_model(context: Context, model: Item, port: int = 0) -> Iterator[Served]:
    """Run an embedded server on a model of a store, on the loopback; it ends with the block.

    Args:
        context: the store.
        model: its item.
        port: 0 = any free one.

    Raises:
        NoModel: its archive is not a plain SavedModel.
        RuntimeError: the server does not start.
    """
    facts, server = ModelFacts.of(model), Embedded(port)
    try:
        with tempfile.TemporaryDirectory(prefix="landstream-model-") as folder:
            try:
                server.offer(_archive(context, model, Path(folder)), facts.model_name, facts.model_version)
            except UnsafeModel as error:
                raise NoModel(f"{model.id}: {error}; make it again: `landstream reprocess trainer`") from error
        yield Served(server.address(), model, server)
    finally:
        server.stop()


def _archive(context: Context, model: Item, folder: Path) -> Path:
    key = asset_key(model, "model")
    if isinstance(context.store, FolderStore):
        return Path(context.store.location) / key
    context.store.fetch(key, folder / "model.tar", sha256_of(model.assets["model"]))
    return folder / "model.tar"
