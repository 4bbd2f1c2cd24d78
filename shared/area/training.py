"""When networks are trained on an area, and how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from shared.area.inputs import Inputs
from shared.area.recipe import Recipe
from shared.area.splitting import Splitting

Network = Literal["unet", "segnet", "resnet", "multiscale"]
"""A network that is trained by itself."""

Architecture = Literal["committee", "unet", "segnet", "resnet", "multiscale"]
COMMITTEE: Final = "committee"
WINDOW_PX: Final = 192
"""Side of the windows that patches are cut from, in 10 m px."""
DEFAULT_MEMBERS: Final[tuple[Network, ...]] = ("unet", "multiscale")


class TrainingPolicy(BaseModel):
    """When a watching stream asks for a model by itself; `run --once` trains at its end in any case.

    Each further model needs enough new data and enough time since the last one; new labels need neither.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    first: bool = True
    """Whether the first model is asked for as soon as the stream is quiet; `landstream train` orders one otherwise."""
    quiet_s: float = Field(default=60.0, ge=0)
    """Seconds without anything due upstream of the cube before a model is asked for, so that a batch comes in whole; a
    stream that never rests asks without, for a further model at twice as much new data."""
    every_tile_weeks: int = Field(default=200, ge=1)
    """New tile-weeks (tiles of a week that a scene touched) that a further model needs at least."""
    grow_percent: float = Field(default=10.0, ge=0)
    """New tile-weeks that a further model needs at least, in percent of those that models were trained on so far."""
    at_least_hours: float = Field(default=24.0, ge=0)
    """Hours since the last model, or since one was asked for, that a further one needs for new data."""
    labels_changed: bool = True
    """Whether new labels ask for a model as soon as the stream is quiet."""


class TrainingSettings(Recipe, Inputs, Splitting):
    """How networks are trained on this area; every field changes the model."""

    architecture: Architecture = COMMITTEE
    """`committee`, a vote of `members`, or one network alone. `multiscale` is a perceptron on each band's means and
    deviations over several scales."""
    members: tuple[Network, ...] = Field(default=DEFAULT_MEMBERS, min_length=2)
    """Networks of the committee, each trained by itself; their errors differ most where their kinds do. With
    `validation_percent` their votes are weighted by what they say of these blocks, else all count alike."""
    filters: int = Field(default=24, ge=4, le=128)
    """Channels of the network's first level, doubled at each level; fewer are faster, more tell more classes apart."""
    epochs: int = Field(default=24, ge=1)
    """Rounds of training, each of `steps` updates."""
    steps: int = Field(default=36, ge=1)
    """Updates in one epoch."""
    batch: int = Field(default=4, ge=1)
    """Patches in one update."""
    patch_px: int = Field(default=64, ge=32, le=WINDOW_PX, multiple_of=16)
    """Side of a training patch in 10 m px, at most a whole window: a block of 1.28 km with its surroundings."""
    learning_rate: float = Field(default=3e-3, gt=0)
    """Step of the optimiser at the start."""
    folds: int = Field(default=5, ge=0, le=10)
    """Networks trained for the cross-validated mean beside the hold-out; 0 = hold-out only."""
    seed: int = 0
    """Seed of the folds, of the first weights and of the order of patches; the hold-out is one for all seeds."""

    @model_validator(mode="before")
    @classmethod
    def _renamed(cls, value: Any) -> Any:
        """Read `bands`, which said less than `inputs` does: what was stored then keeps its sense."""
        if not isinstance(value, Mapping) or "bands" not in value:
            return value
        given = {name: said for name, said in value.items() if name != "bands"}
        if value["bands"] == "10m":
            given.setdefault("inputs", ("msi_10m",))
        elif value["bands"] != "all":
            raise ValueError("bands is called inputs now: a list, such as [msi_10m, msi_20m]")
        return given

    @field_validator("members")
    @classmethod
    def _distinct(cls, value: tuple[Network, ...]) -> tuple[Network, ...]:
        if len(set(value)) < len(value):
            raise ValueError("names a network twice")
        return value

    @model_validator(mode="after")
    def _effective(self) -> TrainingSettings:
        """Refuse what does nothing: whoever sets a key expects something of it."""
        if not self.history_weeks and self.week_dropout != Inputs.model_fields["week_dropout"].default:
            raise ValueError("week_dropout does nothing without `history_weeks`; leave it out, or set that")
        if fault := self.idle_field(self.networks != ("multiscale",), self.patch_px < WINDOW_PX):
            raise ValueError(fault)
        return self

    @model_serializer(mode="wrap")
    def _as_stored(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what says nothing: models of before a key was there keep their settings, and their ids."""
        data: dict[str, Any] = handler(self)
        if self.architecture != COMMITTEE or self.members == DEFAULT_MEMBERS:
            del data["members"]
        if self.architecture == COMMITTEE:
            del data["architecture"]
        for name, field in {**Recipe.model_fields, **Inputs.model_fields, **Splitting.model_fields}.items():
            if getattr(self, name) == field.default:
                data.pop(name, None)
        return data

    @property
    def networks(self) -> tuple[Network, ...]:
        """The networks that are trained, in order."""
        return self.members if self.architecture == "committee" else (self.architecture,)
