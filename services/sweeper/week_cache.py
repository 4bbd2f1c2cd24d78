"""What was found out of a settled week, kept in the store: a look begins where the last one ended, in any process."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from shared.items.ids import canonical
from shared.items.week_index import week_cache_key
from shared.store import NotFound, Store

ValueT = TypeVar("ValueT")
_PACKAGES = ("services", "shared")


class _Kept(BaseModel, Generic[ValueT]):
    """What lies in the store.

    Attributes:
        made_of: digest of all that the value follows from.
        value: the value.
    """

    made_of: str
    value: ValueT


class WeekCache(Generic[ValueT]):
    """One value for each week. Absent, damaged or made of anything else, a value is computed again.

    Args:
        store: where the values lie.
        name: what they are, a part of their keys.
        kind: their type.
        beside: what they follow from beside the week's token and the code.
        write: whether to write them, which is for who drives the stream.
    """

    def __init__(self, store: Store, name: str, kind: type[ValueT], beside: Any = None, *, write: bool) -> None:
        self._store, self._name, self._write = store, name, write
        self._model = _Kept[kind]  # type: ignore[valid-type]
        self._beside = hashlib.sha256(canonical([code_digest(), beside])).hexdigest()
        self._known: dict[str, str] = {}

    def load(self, week: str, token: str) -> ValueT | None:
        """Return what was kept of a week for the same token, code and circumstances."""
        with suppress(NotFound, ValidationError):
            kept = self._model.model_validate_json(self._store.get(week_cache_key(self._name, week)))
            if kept.made_of == self._made_of(token):
                self._known[week] = token
                return kept.value
        return None

    def keep(self, week: str, token: str, value: ValueT) -> None:
        """Write a week's value, unless it is known to be there."""
        if not self._write or self._known.get(week) == token:
            return
        kept = self._model(made_of=self._made_of(token), value=value)
        self._store.put(week_cache_key(self._name, week), kept.model_dump_json().encode())
        self._known[week] = token

    def _made_of(self, token: str) -> str:
        return hashlib.sha256(f"{self._beside} {token}".encode()).hexdigest()


@cache
def code_digest() -> str:
    """Return the sha256 over the sources that plan and summarize: another version of them may do it otherwise."""
    root = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for path in sorted(_sources(root)):
        digest.update(f"{path.relative_to(root)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def _sources(root: Path) -> Iterable[Path]:
    return (path for package in _PACKAGES for path in (root / package).rglob("*.py"))
