"""How the fetch of one product ended, and after which pause the next try follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LONGEST_S = 900.0
"""Seconds that a provider that does not answer is left alone at most."""

DAY_S = 86_400.0
"""Seconds after which a product that is offline is asked for again at the latest."""

Why = Literal["product", "provider", "room", "ours", "past", "everything"]
"""What a next try waits for: the product alone; a provider that does not answer; room on the disk; a trouble of ours
that says nothing of the provider; what holds up all of the past, or every product (credentials, the month's volume)."""


@dataclass(frozen=True)
class Landed:
    """A product came whole.

    Attributes:
        unit: its name in `landing/`.
    """

    unit: str


@dataclass(frozen=True)
class Ended:
    """Nothing is left to do: it failed, is gone, or is not wanted any more."""


@dataclass(frozen=True)
class Again:
    """It is tried again.

    Attributes:
        after_s: in how many seconds.
        reason: why, for people.
        why: what it waits for.
        asked_s: seconds for which the provider wants to be left alone; 0 = it did not say.
    """

    after_s: float
    reason: str
    why: Why = "product"
    asked_s: float = 0.0


Outcome = Landed | Ended | Again


def doubled(first_s: float, count: int, longest_s: float) -> float:
    """Return the pause before a next try: doubled with each one so far.

    Args:
        first_s: after the first.
        count: tries so far, from 1.
        longest_s: at most.
    """
    return float(min(first_s * 2.0 ** min(count - 1, 30), longest_s))
