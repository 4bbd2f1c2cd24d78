"""What a training keeps of its way: enough to go on from an epoch, on any machine of the kind, to the same bits.

A file is a line that names the format and the sha256 of the rest, then numpy's `.npz` of plain arrays, one of which is
JSON: nothing executable is stored or loaded.
"""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import PlainSerializer, PlainValidator, SerializationInfo, TypeAdapter, ValidationInfo

from shared.observe.logs import get_logger
from shared.stage.declare import Scratch

EVERY_S: Final = 30.0
"""Seconds between two checkpoints: no more than that is lost, and tens of MB to a store cost little beside it."""

SNAPSHOT: Final = "snapshot"
FORMAT: Final = "landstream checkpoint 1"


class BadCheckpoint(ValueError):
    """Raised when a file is not a checkpoint, or a damaged one."""


def _store_array(value: npt.NDArray[Any], info: SerializationInfo) -> int:
    assert info.context is not None
    arrays: list[npt.NDArray[Any]] = info.context["arrays"]
    arrays.append(value)
    return len(arrays) - 1


def _find_array(value: int, info: ValidationInfo) -> npt.NDArray[Any]:
    assert info.context is not None
    array: npt.NDArray[Any] = info.context["arrays"][value]
    return array


Array = Annotated[npt.NDArray[Any], PlainValidator(_find_array), PlainSerializer(_store_array)]
"""An array; in the JSON of a checkpoint it is the number of one beside it."""

Arrays = list[Array]
Chance = dict[str, Any]
"""State of a generator of random numbers, as NumPy tells it."""


@dataclass(frozen=True)
class Learned:
    """A network that is trained.

    Attributes:
        variables: of it, seeds of its layers included.
        training: mean loss of each epoch.
        validation: loss of validation after each epoch; empty where there is none.
        rates: learning rate at the end of each epoch.
    """

    variables: Arrays
    training: list[float]
    validation: list[float]
    rates: list[float]


@dataclass(frozen=True)
class Descent:
    """A network under way, after an epoch.

    Attributes:
        variables: of the network, seeds of its layers included.
        optimiser: its variables: iterations, moments, and the learning rate where no schedule tells it.
        best: weights of the best epoch so far, where these are kept.
        training: mean loss of each epoch.
        judged: loss of validation after each epoch, unrounded: what slows and ends a training follows from it.
        rates: learning rate at the end of each epoch.
    """

    variables: Arrays
    optimiser: Arrays
    best: Arrays | None
    training: list[float]
    judged: list[float]
    rates: list[float]


@dataclass(frozen=True)
class Way:
    """How far the networks of one fit have come.

    Attributes:
        learned: those that are trained.
        began: random numbers as the next one began, or begins.
        descent: the one under way; None = it is yet to begin.
        chance: random numbers as of `descent`.
    """

    learned: list[Learned]
    began: Chance
    descent: Descent | None = None
    chance: Chance | None = None


@dataclass(frozen=True)
class FoldsWay:
    """How far the cross-validation has come.

    Attributes:
        done: folds that are over, those without data included.
        each: measures of the folds, as they are published.
        counts: what was counted for the measures over all of them.
        fit: of the fold under way.
    """

    done: int
    each: list[dict[str, Any]]
    counts: dict[str, Array]
    fit: Way | None = None


@dataclass(frozen=True)
class State:
    """How far a training has come.

    Attributes:
        published: the networks that are published.
        folds: the cross-validation; None = not begun.
    """

    published: Way
    folds: FoldsWay | None = None


_STATE: Final = TypeAdapter(State)
T = TypeVar("T")


@dataclass(frozen=True)
class Part(Generic[T]):
    """A part of a training's state, for whoever computes it.

    Attributes:
        reached: how far an earlier attempt came; None = begin.
        save: call at a place from which one can go on, with what makes the state; it is called if it is time for it.
    """

    reached: T | None = None
    save: Callable[[Callable[[], T]], None] = lambda make: None


class Reached(NamedTuple):
    """What an earlier attempt left.

    Attributes:
        snapshot: of the cube that it read: to go on is to read that one again.
        state: how far it came.
    """

    snapshot: str
    state: State


class Checkpoints:
    """Loads and saves the state of one training.

    Args:
        of: JSON facts of the training, but for the snapshot: a checkpoint of one with others is left alone.
        scratch: where it is kept.
        folder: takes the files until they are.
        every_s: seconds between two checkpoints, at least.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        of: Mapping[str, Any],
        scratch: Scratch,
        folder: Path,
        every_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._of, self._scratch, self._folder = dict(of), scratch, folder
        self._every_s, self._clock = EVERY_S if every_s is None else every_s, clock
        self._saved_s, self._number = clock(), 0
        self._log = get_logger(stage="trainer")

    def load(self) -> Reached | None:
        """Return how far an earlier attempt came; None where there was none, or nothing of it is of use."""
        if self._scratch.kept is None:
            return None
        try:
            of, state = read(self._scratch.kept.read_bytes())
            snapshot = str(of.pop(SNAPSHOT, ""))
        except (BadCheckpoint, OSError) as error:
            self._log.warning("a checkpoint is damaged: training begins anew", error=str(error))
            return None
        other = sorted(name for name in of.keys() | self._of.keys() if of.get(name) != self._of.get(name))
        if other:
            self._log.warning("a checkpoint is of another training, and this one begins anew", differs=other)
            return None
        self._log.info("training goes on from a checkpoint", **_told(state))
        return Reached(snapshot, state)

    def save(self, snapshot: str, make: Callable[[], State]) -> None:
        """Keep a state, if the last one was kept long enough ago.

        Args:
            snapshot: of the cube that the training reads.
            make: makes the state.
        """
        now = self._clock()
        if now - self._saved_s < self._every_s:
            return
        self._number += 1
        path = self._folder / f"checkpoint-{self._number}"
        data = write({**self._of, SNAPSHOT: snapshot}, make())
        try:
            path.write_bytes(data)
        except OSError as error:  # a disk that is full may have room again before anything but this needs it
            self._log.warning("no checkpoint written", error=str(error))
            path.unlink(missing_ok=True)
        else:
            self._scratch.keep(path)
        self._saved_s = self._clock()


def _told(state: State) -> dict[str, int]:
    """Return how far a state is, for the log."""
    way = state.published if state.folds is None else state.folds.fit
    folds = 0 if state.folds is None else state.folds.done
    epochs = 0 if way is None or way.descent is None else len(way.descent.training)
    return {"folds": folds, "networks": 0 if way is None else len(way.learned), "epochs": epochs}


def write(of: Mapping[str, Any], state: State) -> bytes:
    """Return a checkpoint as bytes.

    Args:
        of: JSON facts of the training.
        state: how far it has come.
    """
    arrays: list[npt.NDArray[Any]] = []
    facts = {"of": dict(of), "state": _STATE.dump_python(state, context={"arrays": arrays})}
    members: dict[str, Any] = {str(n): array for n, array in enumerate(arrays)}
    body = io.BytesIO()
    np.savez(body, facts=np.frombuffer(json.dumps(facts).encode(), np.uint8), **members)
    data = body.getvalue()
    return f"{FORMAT} {hashlib.sha256(data).hexdigest()}\n".encode() + data


def read(data: bytes) -> tuple[dict[str, Any], State]:
    """Return the facts of the training, and how far it had come.

    Raises:
        BadCheckpoint: it is no checkpoint, or a damaged one.
    """
    head, _, body = data.partition(b"\n")
    if head != f"{FORMAT} {hashlib.sha256(body).hexdigest()}".encode():
        raise BadCheckpoint(f"not of the format {FORMAT!r}, or not the bytes that were written")
    try:
        with np.load(io.BytesIO(body), allow_pickle=False) as file:
            facts = json.loads(file["facts"].tobytes())
            arrays = [file[str(n)] for n in range(len(file.files) - 1)]
        return facts["of"], _STATE.validate_python(facts["state"], context={"arrays": arrays})
    except (ValueError, KeyError, IndexError, TypeError) as error:  # pydantic's errors are ValueErrors
        raise BadCheckpoint(f"not what was to be written: {error}") from error
