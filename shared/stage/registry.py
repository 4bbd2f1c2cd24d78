"""The services: every package of `services/` whose `stage.py` declares a `STAGE` of the package's name."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from typing import Any

from shared.items.catalogue import Rule
from shared.stage.declare import Collection, Stage

PACKAGE = "services"


class NoSuchService(LookupError):
    """Raised when a service is asked for that does not exist, or whose declaration has another name."""


def names() -> list[str]:
    """Names of the services that are stages, sorted."""
    package = importlib.import_module(PACKAGE)
    return sorted(m.name for m in pkgutil.iter_modules(package.__path__) if m.ispkg and _has_stage(m.name))


def _has_stage(name: str) -> bool:
    return importlib.util.find_spec(f"{PACKAGE}.{name}.stage") is not None


def resolve(reference: str) -> Any:
    """What a reference such as `services.tiler.process:process` names; its module is loaded now."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


def module_of(name: str) -> str:
    """The module that holds a service's `STAGE`."""
    return f"{PACKAGE}.{name}.stage"


def load(name: str) -> Stage[Any]:
    """A service's declaration.

    Raises:
        NoSuchService: there is none, or it is called otherwise.
    """
    if name not in names():
        raise NoSuchService(f"{name!r} is no service; there are {', '.join(names())}")
    stage: Stage[Any] = importlib.import_module(module_of(name)).STAGE
    if stage.name != name:
        raise NoSuchService(f"services/{name}/stage.py declares a stage called {stage.name!r}")
    return stage


def all_stages() -> list[Stage[Any]]:
    """Every service's declaration, upstream first."""
    return in_order([load(name) for name in names()])


DRIVER = f"{PACKAGE}.sweeper.publishes"
"""The module that says what whoever drives the stream publishes, and people beside it."""


def collections() -> list[Collection]:
    """Return every collection that a stage, the driver of the stream or a person publishes."""
    driven: tuple[Collection, ...] = importlib.import_module(DRIVER).PUBLISHES
    return [*(c for stage in all_stages() for c in stage.publishes), *driven]


def rules() -> dict[str, Rule]:
    """Return what is current in each collection, as declared by who publishes it."""
    return {c.name: c.current for c in collections()}


DRIVEN = {"cube-updates": "training-requests", "models": "promotions"}
"""What the driver of a stream makes of what: no stage publishes these."""


def in_order(stages: list[Stage[Any]]) -> list[Stage[Any]]:
    """Return stages upstream first: each after those whose collections it consumes, then by name."""
    rest, ordered = sorted(stages, key=lambda s: s.name), []
    while rest:
        open_ = {c for s in rest for c in s.published}
        open_ |= {DRIVEN[c] for c in open_ if c in DRIVEN}
        ready = [s for s in rest if not (open_ - set(s.published)).intersection(s.consumes)] or rest[:1]
        ordered += ready
        rest = [s for s in rest if s not in ready]
    return ordered
