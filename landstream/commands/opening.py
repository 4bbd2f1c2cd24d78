"""How a command opens its store, and what it says at its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn

import typer

if TYPE_CHECKING:
    from shared.area import Area
    from shared.store import Store


def fail(message: object, code: int = 2) -> NoReturn:
    """End with one line on standard error; one that lacks a right also says whose keys have it."""
    tell_error(message)
    raise typer.Exit(code)


def tell_error(message: object) -> None:
    """Say an error in one line; one that lacks a right also says whose keys have it."""
    from shared.store import Forbidden

    if isinstance(message, Forbidden):
        from landstream.provision.grants import who_may  # a package that loads what provisioning needs

        user = who_may(message.verb, message.key)
        whose = f"of the user `{user}`" if user else "of the store's administrator"
        message = f"{message}; use the keys {whose}"
    typer.echo(f"landstream: {message}", err=True)


def opened(store: str) -> tuple[Store, Area]:
    """Return a store and its area; end with one line where there is none, or it does not answer."""
    from landstream.workspace import WorkspaceError, open_bound

    try:
        return open_bound(store)
    except WorkspaceError as error:
        fail(error)


def tell_left_alone(foreign: Mapping[str, str]) -> None:
    """Say on standard error what lies in the store and is not what its place says: key -> why."""
    for key, fault in foreign.items():
        typer.echo(f"left alone: {key}: {fault}", err=True)


def tell_result(store: Store, area: Area) -> None:
    """Print the result: the champion and the newest map, each fact on a line; nothing where there is neither."""
    from landstream.result import lines, result_of
    from shared.run.context import Context
    from shared.store import StoreError

    try:
        for line in lines(result_of(store, Context.of_store(store, area).reader.snapshot())):
            typer.echo(line)
    except StoreError as error:  # how the run ended is known, and its exit code says so
        typer.echo(f"the result cannot be read: {error}", err=True)
