"""How an attempt at a job ends, and what a worker says while it lasts."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shared.stage.declare import BrokenPicture, NewItem, RejectScene, RetryLater
from shared.store.space import space_fault


@dataclass(frozen=True)
class Done:
    """The worker made a result."""

    result: NewItem
    kind: Literal["done"] = "done"


@dataclass(frozen=True)
class Absorbed:
    """The result existed already: another worker was faster."""

    kind: Literal["absorbed"] = "absorbed"


@dataclass(frozen=True)
class Later:
    """The world is not ready; the sweep brings the job back."""

    reason: str
    kind: Literal["later"] = "later"


@dataclass(frozen=True)
class Rejected:
    """The input will never work.

    Attributes:
        file: the file or object at fault.
        fault: what is wrong with it.
        remedy: what to do.
        broken: whether its picture cannot be decoded, so that another version of its scene takes its place.
        error_class: module and name of the exception.
        traceback: where it came from.
    """

    file: str
    fault: str
    remedy: str
    broken: bool = False
    error_class: str = ""
    traceback: str = ""
    kind: Literal["rejected"] = "rejected"

    @property
    def message(self) -> str:
        """One line for people."""
        return f"{self.file}: {self.fault}; {self.remedy}"


@dataclass(frozen=True)
class Failed:
    """Something unexpected happened.

    Attributes:
        error_class: module and name of the exception.
        message: what it says.
        traceback: where it came from.
    """

    error_class: str
    message: str
    traceback: str = ""
    kind: Literal["failed"] = "failed"


@dataclass(frozen=True)
class NoSpace:
    """The disk that the worker writes to is full or read-only: the job is as due as before."""

    fault: str
    kind: Literal["no_space"] = "no_space"


@dataclass(frozen=True)
class Progress:
    """How far a long job has come; see `shared.stage.declare.Report`."""

    done: int
    total: int
    of: str = ""
    loss: float | None = None
    validation: float | None = None
    kind: Literal["progress"] = "progress"


@dataclass(frozen=True)
class Kept:
    """A file that is to be kept in the store, for whoever takes the job up again."""

    path: Path
    kind: Literal["kept"] = "kept"


Remark = Progress | Kept
"""What a worker says while a task lasts."""


Answer = Done | Later | Rejected | Failed | NoSpace
"""What a worker ends a task with."""

Outcome = Done | Absorbed | Later | Rejected | Failed
"""How an attempt ended for the runner."""

Failure = Rejected | Failed
"""What a failure record is written of."""


def outcome_of(error: Exception) -> Later | Rejected | Failed | NoSpace:
    """Return what an exception of a stage means."""
    if fault := space_fault(error):
        return NoSpace(fault)
    name = f"{type(error).__module__}.{type(error).__qualname__}"
    trace = utf8_text("".join(traceback.format_exception(error)))
    if isinstance(error, RetryLater):
        return Later(utf8_text(str(error)) or name)
    if isinstance(error, RejectScene):
        broken = isinstance(error, BrokenPicture)
        return Rejected(utf8_text(error.file), utf8_text(error.fault), utf8_text(error.remedy), broken, name, trace)
    return Failed(name, utf8_text(str(error)) or name, trace)


def utf8_text(text: str) -> str:
    """Return a text that UTF-8 can hold: names in archives may have lone surrogates."""
    return text.encode("utf-8", "backslashreplace").decode()
