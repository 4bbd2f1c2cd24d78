"""The services: every package of `services/` whose `stage.py` declares a `STAGE` of the package's name."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from typing import Any

from shared.stage.declare import Stage

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


def load(name: str) -> Stage:
    """A service's declaration.

    Raises:
        NoSuchService: there is none, or it is called otherwise.
    """
    if name not in names():
        raise NoSuchService(f"{name!r} is no service; there are {', '.join(names())}")
    stage: Stage = importlib.import_module(module_of(name)).STAGE
    if stage.name != name:
        raise NoSuchService(f"services/{name}/stage.py declares a stage called {stage.name!r}")
    return stage


def all_stages() -> list[Stage]:
    """Every service's declaration, upstream first."""
    return in_order([load(name) for name in names()])


DRIVEN = {"cube-updates": "training-requests"}
"""What the driver of a stream makes of what: no stage publishes these."""


def in_order(stages: list[Stage]) -> list[Stage]:
    """Stages upstream first: each after those whose collections it consumes, then by name."""
    rest, ordered = sorted(stages, key=lambda s: s.name), []
    while rest:
        open_ = {c for s in rest for c in s.publishes}
        open_ |= {DRIVEN[c] for c in open_ if c in DRIVEN}
        ready = [s for s in rest if not open_.intersection(s.consumes)] or rest[:1]
        ordered += ready
        rest = [s for s in rest if s not in ready]
    return ordered
