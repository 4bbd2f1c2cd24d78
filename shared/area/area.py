"""The area file: a study area's name, AOI, grid, level, labels, years, and what its stream does by itself."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Literal, get_args

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import ErrorDetails
from pyproj import Transformer
from shapely.geometry import box, mapping, shape
from shapely.geometry.base import BaseGeometry

from shared.area.extent import check_extent
from shared.area.masks import OWN, Mask, known_mask
from shared.area.moved import move_keys
from shared.area.scheme import PRESETS, LabelScheme, preset
from shared.area.source import KINDS, Source
from shared.area.training import TrainingPolicy, TrainingSettings
from shared.geo import TILE_M, Grid
from shared.geo.mgrs import utm_zone_epsg, zones_over
from shared.geo.outline import project

MAX_FILE_BYTES = 4 * 1024 * 1024
MAX_TILES: Final = 2000
"""Rows and columns that a grid may have at most: 5,120 km."""

Sensor = Literal["s2", "olci"]
Promote = Literal["always", "better", "manual"]
SENSORS: Final[tuple[Sensor, ...]] = ("s2", "olci")
"""All that are known: Sentinel-2's MSI and Sentinel-3's OLCI."""

# libyaml's parser where PyYAML has it: an outline of a country takes a second, not ten.
_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


UNPLANNED: Final = frozenset({"train", "training", "remap", "patience_s", "source"})
"""Keys that no stage plans by: they say what whoever drives the stream does."""


class AreaError(ValueError):
    """Raised when an area file cannot be used; the message names the file, the line and the field."""


class GridSpec(BaseModel):
    """The cube's grid of tiles of 2,560 m; computed from the AOI where it is absent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    epsg: int
    """EPSG code of a projected CRS in metres."""
    origin_x_m: int
    """Easting of the upper left corner in metres, a multiple of 60."""
    origin_y_m: int
    """Northing of the upper left corner in metres, a multiple of 60."""
    rows: int = Field(ge=1, le=MAX_TILES)
    """Tiles of 2,560 m from north to south."""
    cols: int = Field(ge=1, le=MAX_TILES)
    """Tiles of 2,560 m from west to east."""


class Area(BaseModel):
    """A study area; a store belongs to one.

    Name, grid, level, labels and label year are fixed for a store; the other keys may change between runs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    """Name of the area, part of every path in the cube: lower case letters, digits and dashes."""
    aoi: Any
    """Where: [west, south, east, north] in degrees, or a GeoJSON Polygon or MultiPolygon in longitude, latitude."""
    grid_spec: GridSpec | None = Field(default=None, alias="grid")
    """The cube's grid; computed from the AOI where absent, in the UTM zone that holds most of it."""
    level: Literal["l2a", "l1c"] = "l2a"
    """Processing level of the Sentinel-2 scenes that are put into the cube; those of the other are registered."""
    sensors: tuple[Sensor, ...] = Field(default=SENSORS, min_length=1)
    """Sensors whose scenes are processed; those of another are registered and go no further."""
    labels: LabelScheme
    """Label scheme: the name of a preset, the path of a mapping file beside this one, or a mapping."""
    label_year: int = Field(ge=1985, le=2100)
    """Reference year of the labels; the delivery nearest to it is burned."""
    years: tuple[int, ...] = Field(min_length=1)
    """ISO years of scenes that are accepted; of others they are refused."""
    train: TrainingPolicy = TrainingPolicy()
    """When a watching stream asks for a model by itself."""
    training: TrainingSettings = TrainingSettings()
    """How networks are trained."""
    promote: Promote = "better"
    """Which model becomes champion: `better`, the first that beats the commonest class, then each that beats the
    champion on the hold-out; `always`, each of what the cube holds; `manual`, the one that people promote."""
    remap: int = Field(default=8, ge=0)
    """Weeks with data (newest first) that a new champion maps again while watching; all with --once."""
    canary_percent: float = Field(default=0.0, ge=0, le=100)
    """Percent of the sheets that the challenger maps, too, into `land-cover-trials`, for looking only."""
    applicability: bool = False
    """Whether maps carry a layer of where their model applies: how unlike the ground that it learned from each cell of
    40 m is. Maps take longer with it; imported and older models have none."""
    source: Source | None = None
    """Where products come from by themselves: `kind: cdse`, `dhus`, `stac` or `folder`, and its fields; without it they
    are put into `landing/` by hand, which stays open beside every source."""
    patience_s: float = Field(default=3600.0, ge=0)
    """Seconds that an incomplete unit may wait in landing/."""
    thin_cirrus_is_cloud: bool = True
    """Whether thin cirrus (class 10 of the L2A scene classification) counts as cloud."""
    toolbox_baselines: Literal["below", "above"] = "below"
    """Where products of baselines 99.xx (Sen2Cor's toolbox, stop-gap processing) stand among those of their scene:
    `below` each official baseline, so that one is used only where there is no other, or `above`."""
    mask_other_level: bool = False
    """Whether scenes of the level that is not tiled get a cloud mask, too, for whoever reads those."""
    masks: tuple[Mask, ...] = Field(default=(OWN,), min_length=1)
    """Cloud masks, the preferred first: `own`, `fmask`, `maja`, `omnicloudmask`, `s2cloudless`, or a source with its
    values. Those of others are put into `landing/` as `<product>.mask.<source>.tif`; a scene takes the first that there
    is."""

    @model_validator(mode="before")
    @classmethod
    def _moved(cls, value: Any) -> Any:
        return move_keys(value)[0] if isinstance(value, Mapping) else value

    @field_validator("labels", mode="before")
    @classmethod
    def _preset(cls, value: object) -> object:
        if isinstance(value, str):
            if value not in PRESETS:
                raise ValueError(f"{value!r} is not a label scheme; presets are {', '.join(PRESETS)}")
            return preset(value)
        return value

    @field_validator("aoi")
    @classmethod
    def _polygon(cls, value: Any) -> Any:
        try:
            geometry = _box(value) if isinstance(value, list | tuple) else shape(value)
        except Exception as error:
            raise ValueError(f"not a bbox [west, south, east, north] nor a GeoJSON polygon: {error}") from error
        if geometry.geom_type not in {"Polygon", "MultiPolygon"} or geometry.is_empty or not geometry.is_valid:
            raise ValueError("not a valid polygon")
        check_extent(geometry.bounds)
        return json.loads(json.dumps(mapping(geometry)))

    @field_validator("masks", mode="before")
    @classmethod
    def _known_masks(cls, value: object) -> object:
        return [known_mask(entry) for entry in value] if isinstance(value, list | tuple) else value

    @field_validator("masks")
    @classmethod
    def _each_mask_once(cls, value: tuple[Mask, ...]) -> tuple[Mask, ...]:
        names = [mask if isinstance(mask, str) else mask.source for mask in value]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{twice[0]} stands there twice")
        return value

    @field_validator("sensors")
    @classmethod
    def _in_order(cls, value: tuple[Sensor, ...]) -> tuple[Sensor, ...]:
        return tuple(sensor for sensor in SENSORS if sensor in value)

    @model_validator(mode="after")
    def _grid(self) -> Area:
        if self.grid_spec is None:
            grid = default_grid(self.polygon)
            spec = GridSpec(
                epsg=grid.epsg, origin_x_m=grid.origin_x_m, origin_y_m=grid.origin_y_m, rows=grid.rows, cols=grid.cols
            )
            object.__setattr__(self, "grid_spec", spec)
        _ = self.grid
        return self

    @model_validator(mode="after")
    def _brings_what_is_read(self) -> Area:
        """Refuse a network that would read a sensor whose products are not taken."""
        if "olci_300m" in self.training.inputs and "olci" not in self.sensors:
            raise ValueError("training.inputs names olci_300m, and sensors lacks olci; add it, or leave out the input")
        return self

    @model_serializer(mode="wrap")
    def _as_stored(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what has its default and came later: stores of before the key stay byte for byte as they are."""
        data: dict[str, Any] = handler(self)
        if self.sensors == SENSORS:
            del data["sensors"]
        if not self.applicability:
            del data["applicability"]
        if self.source is None:
            data.pop("source", None)
        if self.toolbox_baselines == "below":
            del data["toolbox_baselines"]
        if self.masks == (OWN,):
            del data["masks"]
        return data

    @property
    def polygon(self) -> BaseGeometry:
        """The AOI in longitude, latitude (degrees)."""
        return shape(self.aoi)

    @property
    def grid(self) -> Grid:
        """The lattice of the cube."""
        assert self.grid_spec is not None
        return Grid(**self.grid_spec.model_dump())

    @property
    def identity(self) -> dict[str, Any]:
        """What a store is bound to: another value of any field needs another store."""
        return {
            "name": self.name,
            "grid": self.grid_spec.model_dump() if self.grid_spec else None,
            "level": self.level,
            "labels": self.labels.model_dump(mode="json"),
            "label_year": self.label_year,
        }


def _box(value: Sequence[float]) -> BaseGeometry:
    west, south, east, north = map(float, value)
    check_extent((west, south, east, north))
    return box(west, south, east, north)


def default_grid(aoi: BaseGeometry) -> Grid:
    """Return the grid over an AOI in the UTM zone that holds most of its area.

    Args:
        aoi: polygon in longitude, latitude (degrees).

    Raises:
        ValueError: the AOI is larger than a grid may be.
    """
    share: dict[int, float] = {}
    for epsg, part in zones_over(aoi):
        share[epsg % 100] = share.get(epsg % 100, 0.0) + part.area
    epsg = utm_zone_epsg(max(sorted(share), key=lambda zone: share[zone]), north=aoi.centroid.y >= 0)
    to_grid = Transformer.from_crs(4326, epsg, always_xy=True)
    outline = project(to_grid, aoi.segmentize(0.01))
    grid = Grid.covering(epsg, outline.bounds) if all(map(math.isfinite, outline.bounds)) else None
    if grid is None or max(grid.rows, grid.cols) > MAX_TILES:
        west, south, east, north = aoi.bounds
        size, side_km = f"{east - west:g} x {north - south:g} degrees", MAX_TILES * TILE_M // 1000
        raise ValueError(f"an AOI of {size} is larger than a grid may be ({side_km} km): divide it")
    return grid


def _to_people(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def load_area(path: Path, tell: Callable[[str], None] = _to_people) -> Area:
    """Read and check an area file.

    Args:
        path: the file.
        tell: called with a line for each key that stands where it did before.

    Raises:
        AreaError: unreadable, not YAML, or a field is wrong; the message names file, line and field.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise AreaError(f"{path}: larger than {MAX_FILE_BYTES} bytes; this is not an area file")
        node, data = _read_yaml(path)
    except OSError as error:
        raise AreaError(f"{path}: cannot be read ({error.strerror}); give the path of an area file") from error
    except (ValueError, yaml.YAMLError) as error:  # a date that is none is a ValueError
        raise AreaError(f"{path}: not YAML ({' '.join(str(error).split())})") from error
    if not isinstance(data, dict):
        raise AreaError(f"{path}:1: an area file is a mapping; `landstream area new` writes one")
    labels = data.get("labels")
    if isinstance(labels, str) and labels.endswith((".yaml", ".yml")):
        data["labels"] = _load_mapping(path.parent / labels)
    area = parse_area(data, str(path), node)
    for line in move_keys(data)[1]:
        tell(f"{path}:{_line_of(node, ('policy', line.removeprefix('policy.').partition(' ')[0]))}: {line}")
    return area


def _read_yaml(path: Path) -> tuple[yaml.Node | None, Any]:
    """Return the tree of a YAML file, and what it says."""
    loader = _Loader(path.read_text(encoding="utf-8"))
    try:
        node = loader.get_single_node()
        return node, None if node is None else loader.construct_document(node)
    finally:
        loader.dispose()


def _load_mapping(path: Path) -> object:
    """Return the label scheme of a mapping file, to be checked as a part of the area."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise AreaError(f"{path}: larger than {MAX_FILE_BYTES} bytes; this is not a mapping file")
        return _read_yaml(path)[1]
    except OSError as error:
        raise AreaError(f"{path}: cannot be read ({error.strerror}); `labels:` names a mapping file") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise AreaError(f"{path}: not YAML ({' '.join(str(error).split())})") from error


def parse_area(data: dict[str, Any], source: str, node: yaml.Node | None = None) -> Area:
    """Check the fields of an area.

    Args:
        data: the mapping of the file.
        source: what to call it in messages.
        node: the YAML tree, for line numbers.

    Raises:
        AreaError: a field is wrong; the message names source, line and field.
    """
    try:
        return Area.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "area"
        line = _line_of(node, first["loc"])
        raise AreaError(f"{source}:{line}: {field}: {_fault(first)}") from error


def _fault(error: ErrorDetails) -> str:
    """Return what is wrong with a field, for people."""
    if error["type"] == "extra_forbidden":
        name = str(error["loc"][-1])
        near = get_close_matches(name, _keys(Area), 1)
        return f"is not a key; did you mean `{near[0]}`?" if near else "is not a key; docs/area.md names them all"
    if error["type"] == "union_tag_invalid":
        return f"{error['ctx']['tag']!r} is not a kind; there are {', '.join(KINDS)}"
    if error["type"] in {"union_tag_not_found", "model_attributes_type"} and error["loc"][:1] == ("source",):
        return f"write `source: {{kind: ...}}`, where kind is one of {', '.join(KINDS)}"
    if error["type"] == "literal_error" and isinstance(error["input"], str | int | float):
        return f"{error['msg']}, and not {str(error['input'])[:100]!r}"
    return error["msg"].removeprefix("Value error, ")


def _keys(model: type[BaseModel]) -> set[str]:
    """Return the keys of a model of the area file, and of the models below it."""
    found = set()
    for name, field in model.model_fields.items():
        found.add(field.alias or name)
        for kind in _models(field.annotation):
            found |= _keys(kind)
    return found


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    """Yield the models that an annotation names, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _line_of(node: yaml.Node | None, location: tuple[int | str, ...]) -> int:
    """Return the 1-based line of the deepest part of a field's path that the file has."""
    line = 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            match = [(k, v) for k, v in node.value if k.value == str(part)]
            if not match:
                break
            key, node = match[0]
            line = key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line
