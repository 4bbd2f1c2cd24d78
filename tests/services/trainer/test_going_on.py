"""A training that was interrupted anywhere and goes on gives the bits of one that was not."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import keras
import numpy as np
import pytest

from services.trainer import descend
from services.trainer.checkpoint import Part, State, Way, read, write
from services.trainer.export import weights_sha256
from services.trainer.fit import Fitted, fit
from services.trainer.ground import Ground
from services.trainer.places import Place
from services.trainer.rounds import Round, Rounds
from shared.area.training import TrainingSettings
from shared.items.model_inputs import ModelInputs
from tests.services.trainer.test_fit import CLASSES, SMALL, WINDOWS, validated

RECIPES: dict[str, dict[str, Any]] = {
    "plain": {"architecture": "committee", "epochs": 2},
    # Each keeps something of its own: moments of the plateau, best weights, an early end, the seeds of dropout.
    "watched": {
        "architecture": "committee", "epochs": 4, "schedule": "plateau", "plateau_patience": 1, "keep_best": True,
        "early_stop_patience": 2, "early_stop_min_delta": 0.5, "noise_share": 0.1, "shift_px": 2,
    },
    "in rounds": {"architecture": "unet", "epochs": 6},
}  # fmt: skip


class Killed(Exception):
    """Stands for SIGKILL."""


def settings(recipe: str) -> TrainingSettings:
    return TrainingSettings(**{**SMALL, "validation_percent": 20, **RECIPES[recipe]})


class Attempt:
    """One process: it starts with what the last one kept, and keeps each state as bytes."""

    def __init__(self, kept: bytes | None, dies_at: int) -> None:
        self.kept, self._left = kept, dies_at
        self.saved = 0

    def part(self) -> Part[Way]:
        return Part(None if self.kept is None else read(self.kept)[1].published, self.save)

    def save(self, make: Callable[[], Way]) -> None:
        self.kept = write({}, State(make()))
        self.saved += 1

    def live(self, *_: Any) -> None:
        self._left -= 1
        if self._left == 0:
            raise Killed

    def run(self, recipe: str) -> Fitted:
        return trained(recipe, self.live, self.part())


def trained(recipe: str, progress: Callable[..., None], part: Part[Way]) -> Fitted:
    keras.backend.clear_session()  # networks are named as in a process of their own
    with in_rounds() if recipe == "in rounds" else nullcontext() as rounds:
        return fit(WINDOWS, validated(), CLASSES, settings(recipe), ModelInputs(), 0, progress, part, rounds)


def in_rounds() -> Rounds:
    """The first round lasts an epoch, and the four after it, of a window each, one, too; the last is a cloud."""

    def read_round(places: Sequence[Place]) -> Round:
        windows = WINDOWS.at([place.col for place in places])
        return Round(windows, Ground(windows.labels * np.uint8(places[0].row == 0)))

    places = [[Place("2018-W20", row, col)] for row, col in ((0, 2), (0, 1), (0, 0), (1, 0))]
    return Rounds(Round(WINDOWS, validated()), places, read_round, patches=8)


@functools.cache
def undisturbed(recipe: str) -> tuple[str, dict[str, list[float]], dict[str, list[float]], Any]:
    return told(trained(recipe, lambda *_: None, Part()))


def told(fitted: Fitted) -> tuple[str, dict[str, list[float]], dict[str, list[float]], Any]:
    return weights_sha256(fitted.model), fitted.losses, fitted.rates, fitted.weights


def goes_on(recipe: str, *deaths: int) -> Attempt:
    """Train in one process after the other; each but the last dies at a report, its first of where it begins."""
    kept = None
    for dies_at in deaths:
        attempt = Attempt(kept, dies_at)
        with pytest.raises(Killed):
            attempt.run(recipe)
        assert attempt.kept != kept, "it has come further"
        kept = attempt.kept
    return Attempt(kept, dies_at=0)


def test_killed_in_each_network() -> None:
    assert told(goes_on("watched", 3, 6).run("watched")) == undisturbed("watched")


@pytest.mark.chaos
def test_killed_in_a_round() -> None:
    wanted = undisturbed("in rounds")
    assert told(goes_on("in rounds", 4, 3).run("in rounds")) == wanted
    assert wanted[0] != told(fit(WINDOWS, validated(), CLASSES, settings("in rounds"), ModelInputs(), 0))[0]


@pytest.mark.chaos
def test_killed_at_ten_random_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within an epoch, too: between two updates, or while the loss of validation is taken."""
    wanted = undisturbed("watched")
    rng, left, fed, constants = random.Random(20261129), [0], descend.fed, descend.constants

    def count(taken: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        return taken

    monkeypatch.setattr(descend, "fed", lambda batches: map(count, fed(batches)))
    monkeypatch.setattr(descend, "constants", lambda batch: constants(count(batch)))
    kept, deaths = None, 0
    while deaths < 10:
        attempt, left[0] = Attempt(kept, dies_at=0), rng.randint(1, 25)
        try:
            assert told(attempt.run("watched")) == wanted, "it was done before it could be killed"
            kept = None
        except Killed:
            kept, deaths = attempt.kept, deaths + 1
    left[0] = 0
    assert told(Attempt(kept, dies_at=0).run("watched")) == wanted


@pytest.mark.chaos
def test_gone_on_from_the_very_end() -> None:
    attempt = Attempt(None, 0)
    attempt.run("plain")
    again = Attempt(attempt.kept, 0)
    assert told(again.run("plain")) == undisturbed("plain")
    assert again.saved == 0, "nothing is left to train"


@pytest.mark.chaos
@pytest.mark.parametrize("recipe", RECIPES)
def test_killed_after_every_epoch(recipe: str) -> None:
    kept, deaths = None, 0
    while True:
        attempt = Attempt(kept, dies_at=3)
        try:
            fitted = attempt.run(recipe)
            break
        except Killed:
            assert attempt.kept != kept, "it has come further"
            kept, deaths = attempt.kept, deaths + 1
    assert deaths >= 3
    assert told(fitted) == undisturbed(recipe)
