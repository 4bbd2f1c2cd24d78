"""The recipe of a training: its loss, its augmentation, its optimiser, and when it ends."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Loss = Literal["cross_entropy", "focal", "dice"]
Preset = Literal["thesis-2018"]

PRESETS: Final[Mapping[Preset, Mapping[str, Any]]] = MappingProxyType(
    {
        "thesis-2018": MappingProxyType(
            {
                "architecture": "unet",
                "epochs": 100,
                "batch": 1,
                "patch_px": 192,  # one sample is a tile there; a window is the largest sample here
                "learning_rate": 1e-3,
                "seed": 42,
                "flips": False,
                "rotations": False,
                "optimiser": "adam",
                "validation_percent": 20.0,  # there it is the training array itself
                "schedule": "plateau",
                "plateau_patience": 5,
                "plateau_factor": 0.2,
                "early_stop_patience": 20,
                "early_stop_min_delta": 1e-3,
                "keep_best": True,
                "weeks": (14, 32),
                "inputs": ("msi_10m",),
                "history_weeks": 18,
            }
        )
    }
)
"""Preset -> the settings that it stands for; all others keep their defaults."""


class Recipe(BaseModel):
    """How networks are fitted; what has its default is left out where settings are stored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    preset: Preset | None = Field(default=None, exclude=True)
    """Settings by one name, which other keys beside it override; they are stored one by one. `thesis-2018`: a U-Net on
    stacks of the 10 m bands of weeks 14 to 32, Adam, at most 100 epochs of single windows, the best by the loss of
    validation."""
    loss: Loss = "cross_entropy"
    """What is minimised over labelled pixels: `cross_entropy`; `focal`, which looks at hard pixels; `dice`, the overlap
    of each class that a batch holds."""
    focal_gamma: float = Field(default=2.0, ge=0, le=10, allow_inf_nan=False)
    """Exponent of the focal loss: how little a pixel counts that is mapped well; 0 = cross-entropy."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of each pixel's label that is spread over all classes alike."""
    class_weights: Literal["none", "balanced"] = "none"
    """`balanced`: a pixel counts by how rare its class is among the training pixels, on top of patches that are drawn
    more evenly than classes are found."""
    edge_px: int = Field(default=0, ge=0, le=32)
    """Training pixels this near to a label edge, in 10 m px, count `edge_weight`: labels are least right there."""
    edge_weight: float = Field(default=0.0, ge=0, lt=1)
    """What a pixel near a label edge counts, of 1; 0 = it carries no loss."""
    flips: bool = True
    """Whether patches are mirrored by chance."""
    rotations: bool = True
    """Whether patches are turned by 0, 90, 180 or 270 degrees by chance."""
    noise_share: float = Field(default=0.0, ge=0, le=1)
    """Deviation of the noise on each value of a patch, as a share of its band's deviation over the training pixels."""
    shift_px: int = Field(default=0, ge=0, le=16, multiple_of=2)
    """How far the bands of a patch are moved against its labels by chance, in 10 m px: scenes lie a little off. Even,
    as 10 and 20 m pixels share a lattice."""
    optimiser: Literal["adamw", "adam"] = "adamw"
    """`adamw`: with a weight decay of 1e-4; `adam`: without. Moments decay by .9 and .999, epsilon is 1e-7."""
    validation_percent: float = Field(default=0.0, ge=0, le=50)
    """Share of the labelled training pixels, in percent, that is aimed at: their blocks carry no loss and tell the loss
    of validation after each epoch. The hold-out is never among them."""
    schedule: Literal["cosine", "plateau"] = "cosine"
    """How the learning rate falls: along a cosine over all epochs, or where the loss of validation no longer does."""
    plateau_patience: int = Field(default=5, ge=1)
    """Epochs without a lower loss of validation (by 1e-4) before the learning rate falls."""
    plateau_factor: float = Field(default=0.2, gt=0, lt=1)
    """What the learning rate is multiplied by then."""
    early_stop_patience: int = Field(default=0, ge=0)
    """Epochs without a lower loss of validation before training ends; 0 = it lasts all `epochs`."""
    early_stop_min_delta: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """What the loss of validation must fall by to count as lower before training ends."""
    keep_best: bool = False
    """Whether the weights of the epoch with the lowest loss of validation are kept, not those of the last."""
    weeks: tuple[int, int] | None = None
    """First and last ISO week that are trained and scored on, 1 to 53, of every year; all where absent."""
    mixed_precision: bool = False
    """Whether networks compute in bfloat16 where that is safe: faster where the processor knows it, less exact."""
    xla: bool = False
    """Whether updates are compiled by XLA: a slower start, faster steps; other bits."""

    @model_validator(mode="before")
    @classmethod
    def _expanded(cls, value: Any) -> Any:
        """Put the settings of a preset in the place of its name."""
        if not isinstance(value, Mapping):
            return value
        given = dict(value)
        preset = given.pop("preset", None)
        if preset is None:
            return given
        if preset not in PRESETS:
            raise ValueError(f"preset {preset!r} is not known; presets are {', '.join(PRESETS)}")
        return {**PRESETS[preset], **given}

    @field_validator("weeks")
    @classmethod
    def _in_order(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value is not None and not 1 <= value[0] <= value[1] <= 53:
            raise ValueError("are the first and the last ISO week, of 1 to 53, ascending")
        return value

    def idle_field(self, patches: bool, room: bool) -> str | None:
        """Return what is wrong with a field that does nothing beside the others, in one line; None where all do.

        Args:
            patches: whether one of the networks reads patches.
            room: whether a patch is smaller than a window.
        """
        needed: tuple[tuple[str, bool, str], ...] = (
            ("focal_gamma", self.loss == "focal", "`loss: focal`"),
            ("edge_weight", self.edge_px > 0, "`edge_px`"),
            *((name, patches, "a network that reads patches") for name in _OF_PATCHES),
            ("shift_px", room, "a smaller `patch_px`"),
            ("schedule", self.validation_percent > 0, "`validation_percent`"),
            ("early_stop_patience", self.validation_percent > 0, "`validation_percent`"),
            ("keep_best", self.validation_percent > 0, "`validation_percent`"),
            ("plateau_patience", self.schedule == "plateau", "`schedule: plateau`"),
            ("plateau_factor", self.schedule == "plateau", "`schedule: plateau`"),
            ("early_stop_min_delta", self.early_stop_patience > 0, "`early_stop_patience`"),
        )
        for name, met, need in needed:
            if not met and getattr(self, name) != Recipe.model_fields[name].default:
                return f"{name} does nothing without {need}; leave it out, or set that"
        return None


_OF_PATCHES: Final = ("flips", "rotations", "noise_share", "shift_px")
