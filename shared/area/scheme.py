"""Label schemes: which attribute of a polygon layer names its class, and which raster value the class gets."""

from __future__ import annotations

import math
import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.area.clc import CLC_GRID_CODES, CLC_LEVEL_1, CLC_LEVEL_2, CLC_LEVEL_3, CLC_UNCLASSIFIED

CLC_ATTRIBUTE = r"code_?\d{2}"
CLC_ATTRIBUTION = (
    "CORINE Land Cover: Copernicus Land Monitoring Service, European Environment Agency (EEA), European Union"
)
OTHER = "other"

VEGETATION_17 = tuple(
    code for code in CLC_LEVEL_3 if code[0] == "2" or code[:2] == "31" or (code[:2] == "32" and code != "323")
)
VEGETATION_8 = ("21", "22", "23", "24", "31", "32", "33", "41")


class UnknownClass(ValueError):
    """Raised when a polygon carries a code that its label scheme does not know."""


def is_missing(source: object) -> bool:
    """Return whether a polygon's attribute value is none: a null, NaN (a null among numbers), or blank."""
    if isinstance(source, str):
        return not source.strip()
    return source is None or (isinstance(source, float) and math.isnan(source))


class LabelClass(BaseModel):
    """One class of a scheme; its raster value is its place, 1..K ascending by code."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str
    """The scheme's own code, sorted as text; write it in quotes."""
    name: str
    """What people call the class."""
    color: str = Field(pattern=r"^#[0-9a-fA-F]{6}$")
    """Colour in maps and legends, `"#rrggbb"`."""
    sources: tuple[str, ...]
    """Attribute values of the polygons, or values of the raster's pixels, that belong to the class."""


class LabelScheme(BaseModel):
    """A way to read classes off a layer of polygons, or off a raster."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scheme: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    """Name of the scheme, part of the cube's path: lower case letters, digits and dashes."""
    attribute: str = ""
    r"""Regular expression of the attribute that holds the code, in any case: `fclass`, `code_?\d{2}`. Rasters: none."""
    classes: tuple[LabelClass, ...] = Field(min_length=2, max_length=254)
    """2 to 254 classes, kept ascending by code."""
    ignored: tuple[str, ...] = ()
    """Attribute values, or values of pixels, that are known and stay unlabelled."""
    source: Literal["clc", "polygons", "raster"] = "polygons"
    """What a delivery of the scheme is: `clc`, polygons with Corine's names or a raster of its grid codes; `polygons`,
    or points such as LUCAS's, told by the attribute alone; `raster`, a GeoTIFF of classes such as WorldCover's."""
    attribution: str = ""
    """Line that every derived item, TIFF and picture carries."""

    @model_validator(mode="after")
    def _check(self) -> LabelScheme:
        codes = [c.code for c in self.classes]
        sources = [s for c in self.classes for s in c.sources] + list(self.ignored)
        for kind, values in (("code", codes), ("source value", sources)):
            twice = {v for v in values if values.count(v) > 1}
            if twice:
                raise ValueError(f"{kind} {sorted(twice)[0]!r} is given to two classes")
        if not self.attribute and self.source != "raster":
            raise ValueError("attribute: is missing; name the field that holds the code, or set `source: raster`")
        if self.source == "raster" and (odd := [s for s in sources if not s.isdecimal()]):
            raise ValueError(f"source value {odd[0]!r} is not that of a pixel: a whole number from 0 on")
        try:
            re.compile(self.attribute)
        except re.error as error:
            raise ValueError(f"attribute {self.attribute!r} is not a regular expression: {error}") from error
        object.__setattr__(self, "classes", tuple(sorted(self.classes, key=lambda c: c.code)))
        return self

    @property
    def values(self) -> dict[int, LabelClass]:
        """Raster value 1..K -> class."""
        return dict(enumerate(self.classes, start=1))

    def value_of(self, source: object) -> int:
        """Raster value of a polygon's attribute value; 0 = known and unlabelled, or missing.

        Raises:
            UnknownClass: the scheme knows no such value.
        """
        if is_missing(source):
            return 0
        text = str(int(source)) if isinstance(source, float) and source.is_integer() else str(source).strip()
        try:
            return self._lookup[text]
        except KeyError:
            raise UnknownClass(f"class code {text!r} is unknown to the label scheme {self.scheme}") from None

    def pixel_values(self) -> dict[int, int]:
        """Value of a delivered raster's pixel -> raster value 1..K; 0 = known and unlabelled."""
        if self.source == "clc":
            codes = {int(code): code for code in (*CLC_LEVEL_3, *CLC_UNCLASSIFIED)}
            return {0: 0} | {value: self._lookup[code] for value, code in (CLC_GRID_CODES | codes).items()}
        return {int(source): value for source, value in self._lookup.items()}

    @property
    def _lookup(self) -> dict[str, int]:
        known = dict.fromkeys(self.ignored, 0)
        known.update({source: value for value, c in self.values.items() for source in c.sources})
        return known


def _clc(scheme: str, groups: dict[str, tuple[str, tuple[str, ...]]], rest_is_other: bool = False) -> LabelScheme:
    """Return a CLC scheme from class code -> (name, CLC codes)."""
    classes = [
        LabelClass(code=code, name=name, color=CLC_LEVEL_3[sources[0]][1], sources=sources)
        for code, (name, sources) in groups.items()
    ]
    if rest_is_other:
        taken = {source for c in classes for source in c.sources}
        rest = tuple(code for code in CLC_LEVEL_3 if code not in taken)
        classes.append(LabelClass(code=OTHER, name="Other land cover", color="#9e9e9e", sources=rest))
    return LabelScheme(
        scheme=scheme,
        attribute=CLC_ATTRIBUTE,
        classes=tuple(classes),
        ignored=tuple(sorted(CLC_UNCLASSIFIED)),
        source="clc",
        attribution=CLC_ATTRIBUTION,
    )


def _prefixed(names: dict[str, str], codes: tuple[str, ...]) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {code: (names[code], tuple(c for c in CLC_LEVEL_3 if c.startswith(code))) for code in codes}


def preset(name: str) -> LabelScheme:
    """Return one of the label schemes that Landstream brings.

    Raises:
        KeyError: there is no such preset.
    """
    level_3 = {code: name_ for code, (name_, _) in CLC_LEVEL_3.items()}
    makers = {
        "clc-level1": lambda: _clc("clc-level1", _prefixed(CLC_LEVEL_1, tuple(CLC_LEVEL_1))),
        "clc-level2": lambda: _clc("clc-level2", _prefixed(CLC_LEVEL_2, tuple(CLC_LEVEL_2))),
        "clc-level3": lambda: _clc("clc-level3", _prefixed(level_3, tuple(level_3))),
        "clc-vegetation-8": lambda: _clc("clc-vegetation-8", _prefixed(CLC_LEVEL_2, VEGETATION_8), True),
        "clc-vegetation-17": lambda: _clc("clc-vegetation-17", _prefixed(level_3, VEGETATION_17), True),
    }
    return makers[name]()


PRESETS = ("clc-level1", "clc-level2", "clc-level3", "clc-vegetation-8", "clc-vegetation-17")
