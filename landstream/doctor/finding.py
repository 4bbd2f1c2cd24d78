"""What a look at one thing found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """What a look at one thing found.

    Attributes:
        what: what was looked at.
        state: `ok`, `warn` (something is not possible, or will not be for long) or `fail`.
        text: what was found.
        remedy: what to do; empty where nothing is to be done.
    """

    what: str
    state: Literal["ok", "warn", "fail"]
    text: str
    remedy: str = ""


def line(finding: Finding) -> str:
    """Return a finding as a line for people."""
    remedy = f"; {finding.remedy}" if finding.remedy else ""
    return f"{finding.state:<6}{finding.what:<20}{finding.text}{remedy}"


def size(number: float) -> str:
    """Return bytes as people read them: `12.3 GB`."""
    return f"{number / 1e9:,.1f} GB"
