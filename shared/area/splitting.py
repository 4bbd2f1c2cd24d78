"""How labelled ground is split into what networks learn from and what they are tested on."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

FoldUnit = Literal["blocks", "sheets", "squares"]


class Splitting(BaseModel):
    """The split around the hold-out, which is one for all; what has its default is left out where it is stored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    split: Literal["blocks", "polygons"] = "blocks"
    """What keeps training and test apart: `blocks` of 1.28 km; with `polygons` no pixel of a label polygon that reaches
    into a tested block is learned from, either. A strict score on polygons never seen is given in both cases."""
    buffer_px: int = Field(default=3, ge=0, le=64)
    """Training pixels this near to a tested block, in 10 m px, carry no loss."""
    folds_by: FoldUnit = "blocks"
    """What is dealt to folds as a whole: `blocks`; `sheets` of 82 km; `squares` of 100 km, which MGRS tiles are named
    by. With as many folds as there are sheets or squares, each is left out once."""
