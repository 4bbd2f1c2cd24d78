"""What a model reads of the cube: its inputs, their bands, and how many weeks before the mapped one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from shared.area import Area
from shared.area.inputs import DEFAULT_INPUTS, Inputs
from shared.geo import TILE_10M_PX, TILE_20M_PX
from shared.items.item import Item
from shared.items.tiles import MSI, OLCI
from shared.items.weeks import later_week
from shared.sensors import CUBE_BANDS

OLCI_PX: Final = 9
"""Side of the window of 300 m pixels around the middle of a window of a map: 2.7 km for its 2.56."""

SIDES: Final[Mapping[str, int]] = MappingProxyType(
    {"msi_10m": TILE_10M_PX, "msi_20m": TILE_20M_PX, "msi_60m": TILE_20M_PX, "olci_300m": OLCI_PX}
)
"""Input -> side of its pixels in a window of a map; the 60 m bands are repeated onto the 20 m lattice."""


@dataclass(frozen=True)
class ModelInputs:
    """What a model reads.

    Attributes:
        bands: input -> its bands, in the order of `shared.area.inputs.INPUTS`; `week` has none.
        history_weeks: weeks before the mapped one; above 0 every input has an axis of weeks behind that of the batch,
            oldest first, of `history_weeks` + 1.
    """

    bands: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {name: CUBE_BANDS[name.removeprefix("msi_")] for name in DEFAULT_INPUTS}
    )
    history_weeks: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the inputs, in order."""
        return tuple(self.bands)

    @property
    def weeks(self) -> tuple[int, ...]:
        """Length of the axis of weeks, as a part of a shape; () where there is none."""
        return (self.history_weeks + 1,) if self.history_weeks else ()

    @property
    def sensors(self) -> tuple[str, ...]:
        """Sensors whose updates change what the model reads."""
        return (MSI, OLCI) if "olci_300m" in self.bands else (MSI,)

    def weeks_of(self, week: str) -> tuple[str, ...]:
        """Return the weeks that a map of a week reads, oldest first."""
        return tuple(later_week(week, -before) for before in range(self.history_weeks, -1, -1))


def inputs_of_area(area: Area, settings: Inputs) -> ModelInputs:
    """Return what networks of an area read by their settings."""
    bands: dict[str, tuple[str, ...]] = {
        "msi_10m": CUBE_BANDS["10m"],
        "msi_20m": CUBE_BANDS["20m"],
        "msi_60m": CUBE_BANDS[f"60m-{area.level}"],
        "olci_300m": CUBE_BANDS["300m"],
        "week": (),
    }
    return ModelInputs({name: bands[name] for name in settings.inputs}, settings.history_weeks)


def inputs_of_model(model: Item) -> ModelInputs:
    """Return what a model reads, by `mlm:input` of its item; the bands of 10 and 20 m where it states nothing."""
    stated = model.properties.get("mlm:input")
    if not stated:
        return ModelInputs()
    order = stated[0]["input"]["dim_order"]
    weeks = stated[0]["input"]["shape"][order.index("time")] if "time" in order else 1
    return ModelInputs({i["name"]: tuple(i["bands"]) for i in stated}, weeks - 1)


def describe_inputs(inputs: ModelInputs) -> list[dict[str, Any]]:
    """Return `mlm:input` of a model."""
    return [_describe(name, bands, inputs) for name, bands in inputs.bands.items()]


def _describe(name: str, bands: tuple[str, ...], inputs: ModelInputs) -> dict[str, Any]:
    time = ["time"] if inputs.weeks else []
    area = ([SIDES[name]] * 2 + [len(bands)], ["height", "width", "bands"]) if bands else ([], [])
    texts = {
        "olci_300m": "radiance in mW m-2 sr-1 nm-1 around the window; NaN = not observed",
        "week": "day of the year of the week's Thursday, UTC: 1 to 366",
        "msi_60m": "as msi_10m; each 60 m pixel is nine equal ones of 20 m",
    }
    before = "; weeks from the oldest to the mapped one, zeros where one holds nothing" if time else ""
    return {
        "name": name,
        "bands": list(bands),
        "input": {
            "shape": [-1, *inputs.weeks, *area[0]],
            "dim_order": ["batch", *time, *area[1]],
            "data_type": "float32" if name == "olci_300m" else "uint16",
        },
        "description": texts.get(name, "stored value: reflectance x 10000 + 1000; 0 = not observed") + before,
        "pre_processing_function": None,
    }


def spell_inputs(inputs: ModelInputs) -> str:
    """Return what a model reads, as a part of a sentence: `one week of Sentinel-2 (10 bands at 10 and 20 m)`."""
    msi = [name for name in inputs.names if name.startswith("msi_")]
    *first, last = [name.removeprefix("msi_").removesuffix("m") for name in msi]
    resolutions = f"{', '.join(first)} and {last}" if first else last
    bands = sum(len(inputs.bands[name]) for name in msi)
    weeks = f"{inputs.history_weeks + 1} weeks, each with what it holds," if inputs.history_weeks else "one week"
    said = [f"{weeks} of Sentinel-2 ({bands} bands at {resolutions} m)"]
    if "olci_300m" in inputs.bands:
        said.append("what Sentinel-3 saw around")
    if "week" in inputs.bands:
        said.append("the time of the year")
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"
