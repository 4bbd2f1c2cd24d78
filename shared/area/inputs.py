"""What networks read: the cube's arrays by name, and how many weeks of them."""

from __future__ import annotations

from typing import Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator

Input = Literal["msi_10m", "msi_20m", "msi_60m", "olci_300m", "week"]
INPUTS: Final[tuple[Input, ...]] = get_args(Input)
DEFAULT_INPUTS: Final[tuple[Input, ...]] = ("msi_10m", "msi_20m")

MOST_HISTORY: Final = 52
"""Weeks before the mapped one: with it they are a year."""


class Inputs(BaseModel):
    """What networks read; what has its default is left out where settings are stored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    inputs: tuple[Input, ...] = DEFAULT_INPUTS
    """`msi_10m`, which is always read, `msi_20m` and `msi_60m`: the bands of Sentinel-2. `olci_300m`: 21 radiances of
    Sentinel-3 over 2.7 km around a window, which tell of its landscape. `week`: the time of the year."""
    history_weeks: int = Field(default=0, ge=0, le=MOST_HISTORY)
    """Weeks before the mapped one that are read with it; each may hold nothing. More tell crops and forests apart by
    how they change, fill gaps that clouds leave, and take as many times as long."""
    week_dropout: float = Field(default=0.5, ge=0, le=1)
    """Share of the samples from which weeks are left out by chance, so that few weeks, or one alone, are mapped well,
    too."""

    @field_validator("inputs")
    @classmethod
    def _in_their_order(cls, value: tuple[Input, ...]) -> tuple[Input, ...]:
        if len(set(value)) < len(value):
            raise ValueError("names an input twice")
        if "msi_10m" not in value:
            raise ValueError("lacks msi_10m, which a map has its pixels of")
        return tuple(name for name in INPUTS if name in value)
