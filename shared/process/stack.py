"""What provisioning proved of a distributed stack, kept in the store for its services."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict

from shared.events import KeyForm
from shared.items.ids import canonical
from shared.store import NotFound, Store

STACK_KEY: Final = "stack.json"


class Stack(BaseModel):
    """A stack is ready once this is in its store.

    Attributes:
        keys: how the store writes keys in its events, as the canary showed.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    keys: KeyForm


def read_stack(store: Store) -> Stack | None:
    """Return what was proved; None before the canary's event arrived."""
    try:
        return Stack.model_validate_json(store.get(STACK_KEY))
    except NotFound:
        return None


def write_stack(store: Store, stack: Stack) -> None:
    """Say that the stack is ready."""
    store.put(STACK_KEY, canonical(stack.model_dump(mode="json")))
