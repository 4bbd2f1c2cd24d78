"""docs/mistakes.md says what is said: one line each, with what is wrong and what to do."""

from __future__ import annotations

import pytest

from tests.docs.mistakes import MISTAKES, PAGE, Mistake, transcript


@pytest.mark.parametrize("mistake", MISTAKES, ids=[m.title for m in MISTAKES])
def test_a_mistake_is_one_line_with_a_remedy(mistake: Mistake) -> None:
    code, said = transcript(mistake)
    assert code in (1, 2)
    (line,) = [line for line in said.splitlines() if not line.startswith("waiting: ")]
    assert line.startswith("landstream: ")
    assert f"$ landstream {mistake.command}\n{said.rstrip()}\n" in PAGE.read_text(encoding="utf-8")


def test_the_page_holds_nothing_else() -> None:
    titles = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("**")]
    assert titles == [f"**{mistake.title}**" for mistake in MISTAKES]
    assert len(MISTAKES) >= 20
