"""The services: every package of `services/` that declares a `STAGE` in `stage.py` or a `SERVICE` in `service.py`."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from shared.items.catalogue import Rule
from shared.items.collections import MODELS, PROMOTIONS, REQUESTS, UPDATES
from shared.stage.declare import AnyStage, Collection, published
from shared.stage.deployment import Service

PACKAGE = "services"


class NoSuchService(LookupError):
    """Raised when a service is asked for that does not exist, or whose declaration has another name."""


def names() -> list[str]:
    """Return the names of the services that are stages, sorted."""
    return _packages_with("stage")


def _packages_with(module: str) -> list[str]:
    """Return the packages of `services/`, and those directly below them, that have a module of a name."""
    found = []
    for path in map(Path, importlib.import_module(PACKAGE).__path__):
        for file in (*path.glob(f"*/{module}.py"), *path.glob(f"*/*/{module}.py")):
            found.append(".".join(file.parent.relative_to(path).parts))
    return sorted(found)


def resolve(reference: str) -> Any:
    """Return what a reference such as `services.tiler.process:process` names; its module is loaded now."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


def module_of(name: str) -> str:
    """Return the module that holds a service's `STAGE`."""
    return f"{PACKAGE}.{name}.stage"


def load(name: str) -> AnyStage:
    """Return a service's declaration.

    Raises:
        NoSuchService: there is none, or its declaration has another name.
    """
    if name not in names():
        raise NoSuchService(f"{name!r} is not a service; there are {', '.join(names())}")
    stage: AnyStage = importlib.import_module(module_of(name)).STAGE
    if stage.name != name:
        raise NoSuchService(f"services/{name}/stage.py declares a stage called {stage.name!r}")
    return stage


def all_stages() -> list[AnyStage]:
    """Return every service's declaration, upstream first."""
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


def other_services() -> list[Service]:
    """Return the declarations of the services without a stage, by name.

    Raises:
        NoSuchService: one declares another package's.
    """
    found = []
    for package in _packages_with("service"):
        service: Service = importlib.import_module(f"{PACKAGE}.{package}.service").SERVICE
        if service.package != package:
            raise NoSuchService(
                f"services/{package.replace('.', '/')}/service.py declares the package {service.package!r}"
            )
        found.append(service)
    return sorted(found, key=lambda s: s.name)


def all_services() -> list[Service]:
    """Return every service as it is deployed: the stages, upstream first, then the others."""
    return [*(Service(s.name, s.name, s.deployment, extra=s.name) for s in all_stages()), *other_services()]


DRIVEN = {UPDATES: REQUESTS, MODELS: PROMOTIONS}
"""What the driver of a stream makes of what: no stage publishes these."""


def in_order(stages: list[AnyStage]) -> list[AnyStage]:
    """Return stages upstream first: each after those whose collections it consumes, then by name.

    What a stage publishes itself does not hold it up: the trainer looks at its own models.
    """
    rest, ordered = sorted(stages, key=lambda s: s.name), list[AnyStage]()
    while rest:
        ready = [s for s in rest if not any(_feeds(other, s) for other in rest if other is not s)] or rest[:1]
        ordered += ready
        rest = [s for s in rest if s not in ready]
    return ordered


def _feeds(stage: AnyStage, consumer: AnyStage) -> bool:
    """Return whether a stage publishes, itself or through the driver of the stream, what another one consumes."""
    made = {*published(stage)}
    made |= {DRIVEN[c] for c in made if c in DRIVEN}
    return not made.isdisjoint(consumer.consumes)
