"""Rounds: which epoch learns from which windows, what is read when, and what is in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from services.trainer.ground import Ground
from services.trainer.places import Place
from services.trainer.rounds import Round, Rounds
from tests.services.trainer.test_fit import PLAIN, WINDOWS

PLACES = [[Place("2018-W20", number, i) for i in range(5)] for number in (1, 2)]


class Reader:
    """Reads rounds, and remembers which."""

    def __init__(self) -> None:
        self.read: list[int] = []

    def __call__(self, places: Sequence[Place]) -> Round:
        self.read.append(places[0].row)
        return Round(replace(WINDOWS, places=tuple(places)), PLAIN)


def made(reader: Reader, patches: int = 2) -> Rounds:
    return Rounds(Round(WINDOWS, PLAIN), PLACES, reader, patches)


def test_a_round_lasts_until_as_many_patches_were_drawn_as_it_holds_windows() -> None:
    rounds = made(Reader())
    assert [rounds.number(epoch) for epoch in range(12)] == [0, 0, 1, 1, 1, 2, 2, 2, 0, 0, 1, 1]
    assert [made(Reader(), 100).number(epoch) for epoch in range(4)] == [0, 1, 2, 0]


def test_the_next_round_is_read_meanwhile_and_none_that_no_epoch_needs() -> None:
    reader = Reader()
    with made(reader) as rounds:
        assert rounds.of(0, 6).windows is WINDOWS
        rounds._held[1].result(timeout=10)
        assert [rounds.of(epoch, 6).windows.places[0].row for epoch in (2, 3, 4, 5)] == [1, 1, 1, 2]
        assert reader.read == [1, 2]
        assert set(rounds._held) == {2}, "what was learned from is let go"
        assert rounds.of(0, 1).windows is WINDOWS, "the next network begins anew"
        assert not rounds._held
    assert reader.read == [1, 2]


def test_what_was_learned_from_is_told() -> None:
    rounds = made(Reader())
    assert rounds.visited(2) == []
    assert rounds.visited(3) == PLACES[0]
    assert rounds.visited(6) == rounds.visited(99) == [*PLACES[0], *PLACES[1]]


def test_a_round_below_clouds_is_not_learned_from() -> None:
    def clouded(places: Sequence[Place]) -> Round:
        return Round(WINDOWS, Ground(WINDOWS.labels * 0))

    first = Round(WINDOWS, PLAIN)
    with Rounds(first, PLACES, clouded, 2) as rounds:
        assert rounds.of(2, 3) is first


def test_what_cannot_be_read_ends_the_training() -> None:
    def broken(places: Sequence[Place]) -> Round:
        raise OSError("no answer")

    with Rounds(Round(WINDOWS, PLAIN), PLACES, broken, 2) as rounds, pytest.raises(OSError, match="no answer"):
        rounds.of(2, 3)
