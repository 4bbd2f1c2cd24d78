"""The card of a model that people bring: what it says with the properties of STAC MLM, checked against the cube."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import from_json

from shared.area import Area
from shared.items.classes import classes_of
from shared.items.ids import canonical
from shared.sensors import CUBE_BANDS

MOST_CARD_BYTES: Final = 1024**2
"""A card is a page of text; the item of a model with many classes has some tens of kilobytes."""

MOST_HYPERPARAMETER_BYTES: Final = 16 * 1024
"""They become part of the model's item, which everybody reads who lists models."""

INPUTS: Final[Mapping[str, tuple[str, ...]]] = {f"msi_{lattice}": CUBE_BANDS[lattice] for lattice in ("10m", "20m")}
"""Input of a model -> its bands, in their order."""

OUTPUTS: Final = ("class", "confidence")
"""Outputs of a model, both uint8 (batch, y, x)."""


class BadCard(ValueError):
    """Raised when a card is not one of a model that can map the cube; one line says why."""


class _Stated(BaseModel):
    """What a card states; fields that nothing here reads may be there, too."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class _Tensor(_Stated):
    shape: tuple[int, ...]
    dim_order: tuple[str, ...]
    data_type: str


def _band_name(band: Any) -> Any:
    """Return the name of a band, which MLM also lets be an object."""
    return band.get("name") if isinstance(band, dict) else band


class _Input(_Stated):
    name: str
    bands: tuple[Annotated[str, BeforeValidator(_band_name)], ...]
    tensor: _Tensor = Field(alias="input")


class _Class(_Stated):
    value: int
    name: str


class _Output(_Stated):
    name: str
    result: _Tensor
    classes: tuple[_Class, ...] = Field(default=(), alias="classification:classes")


class ModelCard(_Stated):
    """What a card says of a model."""

    name: str = Field(alias="mlm:name", max_length=100, pattern=r"^[A-Za-z][A-Za-z0-9_.\- ]*[A-Za-z0-9]$")
    """Name of the model; MLM wants a letter first, a letter or a digit last."""
    architecture: str = Field(alias="mlm:architecture", min_length=1, max_length=200)
    """What kind of network it is."""
    tasks: tuple[str, ...] = Field(alias="mlm:tasks")
    """What it does: `semantic-segmentation` among others."""
    pretrained: bool | None = Field(default=None, alias="mlm:pretrained")
    """Whether it was trained on other data before."""
    pretrained_source: str | None = Field(default=None, alias="mlm:pretrained_source", max_length=200)
    """On which."""
    hyperparameters: dict[str, Any] = Field(default_factory=dict, alias="mlm:hyperparameters")
    """How it was trained, in any form."""
    inputs: tuple[_Input, ...] = Field(alias="mlm:input")
    """What it reads."""
    outputs: tuple[_Output, ...] = Field(alias="mlm:output")
    """What it answers."""

    @field_validator("hyperparameters")
    @classmethod
    def _short(cls, value: dict[str, Any]) -> dict[str, Any]:
        if len(canonical(value)) > MOST_HYPERPARAMETER_BYTES:
            raise ValueError(f"takes more than {MOST_HYPERPARAMETER_BYTES} bytes")
        return value


def read_card(data: bytes, area: Area) -> ModelCard:
    """Read a card, and check that it is of a model that reads the cube's bands and answers the area's classes.

    Args:
        data: JSON: a STAC item with the properties of MLM, or these properties alone.
        area: names the classes.

    Raises:
        BadCard: it is not.
    """
    if len(data) > MOST_CARD_BYTES:
        raise BadCard(f"larger than {MOST_CARD_BYTES} bytes: it is not a card")
    try:
        found = from_json(data, allow_inf_nan=False)
    except ValueError as error:
        raise BadCard(f"not JSON: {str(error)[:200]}") from error
    if not isinstance(found, dict):
        raise BadCard("not a STAC item, nor its properties: not an object")
    try:
        card = ModelCard.model_validate(found.get("properties", found))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadCard(f"{place or 'properties'}: {first['msg'][:200]}; STAC MLM says what belongs there") from error
    _check_inputs(card)
    _check_outputs(card, area)
    return card


def _check_inputs(card: ModelCard) -> None:
    if sorted(i.name for i in card.inputs) != sorted(INPUTS):
        raise BadCard(f"mlm:input: names {_listed(i.name for i in card.inputs)}; a map gives {_listed(INPUTS)}")
    for stated in card.inputs:
        bands, tensor = INPUTS[stated.name], stated.tensor
        if stated.bands != bands:
            raise BadCard(f"mlm:input {stated.name}: bands {_listed(stated.bands)}; the cube's are {_listed(bands)}")
        if tensor.data_type != "uint16":
            raise BadCard(f"mlm:input {stated.name}: data_type {tensor.data_type[:40]}; the cube holds uint16")
        if len(tensor.shape) != 4 or tensor.shape[-1] != len(bands) or not _is_channels_last(tensor):
            raise BadCard(
                f"mlm:input {stated.name}: shape {list(tensor.shape)} of {_listed(tensor.dim_order)}; "
                f"it is [-1, height, width, {len(bands)}] of batch, height, width, bands"
            )


def _is_channels_last(tensor: _Tensor) -> bool:
    *sides, last = tensor.dim_order or ("",)
    return sides == ["batch", "height", "width"] and last in ("bands", "channel")


def _check_outputs(card: ModelCard, area: Area) -> None:
    outputs = {output.name: output for output in card.outputs}
    for name in OUTPUTS:
        if name not in outputs:
            raise BadCard(f"mlm:output: names {_listed(outputs)}; a map needs {_listed(OUTPUTS)}")
        tensor = outputs[name].result
        if tensor.data_type != "uint8" or tensor.dim_order != ("batch", "height", "width"):
            raise BadCard(
                f"mlm:output {name}: {tensor.data_type[:40]} of {_listed(tensor.dim_order)}; "
                "it is uint8 of batch, height, width"
            )
    stated = [(c.value, c.name) for c in outputs["class"].classes]
    wanted = [(c.value, c.name) for c in classes_of(area.labels)]
    if stated != wanted:
        raise BadCard(
            f"mlm:output class: classification:classes {_spelt(stated)}; "
            f"the area's labels ({area.labels.scheme}) are {_spelt(wanted)}"
        )


def _listed(names: Any) -> str:
    return ", ".join(str(name)[:40] for name in list(names)[:20]) or "nothing"


def _spelt(classes: list[tuple[int, str]]) -> str:
    return _listed(f"{value} {name}" for value, name in classes)
