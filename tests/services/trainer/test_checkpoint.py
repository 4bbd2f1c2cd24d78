"""Checkpoints: they come back as they were, fit one training alone, and never end it."""

from __future__ import annotations

import errno
import hashlib
import io
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from structlog.testing import capture_logs

from services.trainer.checkpoint import (
    FORMAT,
    BadCheckpoint,
    Checkpoints,
    Descent,
    FoldsWay,
    Learned,
    State,
    Way,
    read,
    write,
)
from shared.stage.declare import Scratch

OF = {"job": "small--01234567", "training": {"epochs": 3, "seed": 0}}


def chance(seed: int) -> dict[str, Any]:
    return dict(np.random.default_rng(seed).bit_generator.state)


def state() -> State:
    weights = [np.arange(6, dtype=np.float32).reshape(2, 3), np.array(7, np.int64), np.array([1, 2], np.uint32)]
    learned = Learned(weights, [0.5, math.nan], [], [1e-3, 1e-3])
    descent = Descent(weights, [np.array(0.1, np.float32)], weights[:1], [0.1 + 0.2], [math.inf], [1 / 3])
    way = Way([learned], chance(1), descent, chance(2))
    return State(way, FoldsWay(1, [{"miou": 0.1}], {"places": np.empty((0, 2), np.int64)}, Way([], chance(3))))


class Store:
    """What a runner keeps of the files that it is given."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.kept = folder, folder / "kept"
        self.saved = 0

    def checkpoints(self, **options: Any) -> Checkpoints:
        kept = self.kept if self.kept.exists() else None
        of = options.pop("of", OF)
        return Checkpoints(of, Scratch(kept, self.keep), self.folder, **{"every_s": 0, **options})

    def keep(self, path: Path) -> None:
        self.saved += 1
        path.rename(self.kept)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_a_state_comes_back_to_the_bit(store: Store) -> None:
    store.checkpoints().save("SNAPSHOT", state)
    reached = store.checkpoints().load()
    assert reached is not None
    assert reached.snapshot == "SNAPSHOT"
    assert write(OF, reached.state) == write(OF, state())
    descent = reached.state.published.descent
    assert descent is not None
    assert descent.training == [0.1 + 0.2]
    assert [a.dtype for a in descent.variables] == [np.float32, np.int64, np.uint32]
    rng = np.random.default_rng()
    rng.bit_generator.state = reached.state.published.began
    assert rng.random() == np.random.default_rng(1).random()


def test_nothing_is_reached_where_nothing_was_kept(store: Store) -> None:
    assert store.checkpoints().load() is None


@pytest.mark.parametrize("other", [{**OF, "job": "small--89abcdef"}, {**OF, "machine": "aarch64"}, {}])
def test_one_of_another_training_is_left_alone(other: dict[str, Any], store: Store) -> None:
    store.checkpoints().save("S", state)
    with capture_logs() as said:
        assert store.checkpoints(of=other).load() is None
    assert [line["event"] for line in said] == ["a checkpoint is of another training, and this one begins anew"]
    assert set(said[0]["differs"]) == {name for name in {*OF, *other} if OF.get(name) != other.get(name)}


def test_a_damaged_one_is_told_and_ignored(store: Store) -> None:
    whole = write(OF, state())
    torn = [b"", b"\n", whole[:-1], whole[len(whole) // 2 :], b"x" * 100, FORMAT.encode()]
    flipped = [whole[:n] + bytes([whole[n] ^ 1]) + whole[n + 1 :] for n in range(0, len(whole), 97)]
    for data in (*torn, *flipped):
        store.kept.write_bytes(data)
        with capture_logs() as said:
            assert store.checkpoints().load() is None
        assert [line["event"] for line in said] == ["a checkpoint is damaged: training begins anew"]


def sealed(**members: np.ndarray) -> bytes:
    body = io.BytesIO()
    np.savez(body, **members)
    data = body.getvalue()
    return f"{FORMAT} {hashlib.sha256(data).hexdigest()}\n".encode() + data


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("a checkpoint was executed",)


@pytest.mark.parametrize(
    "data",
    [
        sealed(facts=np.array([Evil()], object)),
        sealed(),
        sealed(facts=np.frombuffer(b"[", np.uint8)),
        sealed(facts=np.frombuffer(b'{"of": {}, "state": {"published": {"learned": [], "began": 1}}}', np.uint8)),
        sealed(facts=np.frombuffer(b'{"of": {}}', np.uint8)),
        f"{FORMAT} {hashlib.sha256(b'no archive').hexdigest()}\nno archive".encode(),
    ],
    ids=["pickled", "empty", "no JSON", "another state", "no state", "no archive"],
)
def test_what_nobody_wrote_is_a_bad_checkpoint_and_nothing_of_it_runs(data: bytes) -> None:
    with pytest.raises(BadCheckpoint):
        read(data)


def test_a_number_of_an_array_that_is_not_there(store: Store) -> None:
    whole = write(OF, state())
    with np.load(io.BytesIO(whole.partition(b"\n")[2])) as file:
        members = {name: file[name] for name in file.files if name != "0"}
    with pytest.raises(BadCheckpoint):
        read(sealed(**members))


def test_they_are_some_time_apart(store: Store) -> None:
    now = [100.0]
    checkpoints = store.checkpoints(every_s=None, clock=lambda: now[0])
    made = []

    def make() -> State:
        made.append(now[0])
        return state()

    for moment in (100, 129, 131, 140, 160, 161.5, 400):
        now[0] = moment
        checkpoints.save("S", make)
    assert made == [131, 161.5, 400], "a state is made only where it is kept"
    assert store.saved == 3


def test_a_full_disk_costs_a_checkpoint_and_no_training(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with capture_logs() as said:
        store.checkpoints().save("S", state)
    assert [line["event"] for line in said] == ["no checkpoint written"]
    assert store.saved == 0
