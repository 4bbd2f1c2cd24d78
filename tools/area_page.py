"""Generate docs/area.md and the JSON schema of area files from their model: `python -m tools.area_page`."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from shared.area import Area, LabelClass, LabelScheme, preset
from shared.area.area import GridSpec
from shared.area.scheme import PRESETS
from shared.area.source import CdseSource, DhusSource, FolderSource, StacSource
from shared.area.training import TrainingPolicy, TrainingSettings
from tools.docstrings import docstrings

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "area.md"
SCHEMAS = (ROOT / "docs" / "area.schema.json", ROOT / "landstream" / "area.schema.json")
"""As published, and as an installed package brings it along for the files that `area new` writes."""

SECTIONS: dict[str, type[BaseModel]] = {
    "": Area,
    "grid": GridSpec,
    "labels": LabelScheme,
    "labels.classes": LabelClass,
    "train": TrainingPolicy,
    "training": TrainingSettings,
}
"""Where in the file each part of the model stands."""

SOURCES: tuple[type[BaseModel], ...] = (CdseSource, DhusSource, StacSource, FolderSource)
"""What `source` can be, by its `kind`."""

_HEAD = """# The area file

A study area is a YAML file. `landstream area new NAME --aoi ... --year ...` writes one, `landstream area check FILE`
checks it, and `examples/areas/` holds some. Editors that know YAML schemas complete and check it by
`docs/area.schema.json`, which the first line of a new file names. The page and the schema are generated from
`shared/area/` by `python -m tools.area_page`.
"""

_AOI: dict[str, Any] = {
    "anyOf": [
        {
            "type": "array",
            "items": {"type": "number"},
            "minItems": 4,
            "maxItems": 4,
            "description": "West, south, east, north in degrees.",
        },
        {
            "type": "object",
            "description": "A GeoJSON polygon in longitude, latitude.",
            "properties": {
                "type": {"enum": ["Polygon", "MultiPolygon"]},
                "coordinates": {"type": "array", "minItems": 1},
            },
            "required": ["type", "coordinates"],
        },
    ]
}
_PRESET = {"enum": list(PRESETS), "description": "A preset of Corine Land Cover."}
_MAPPING_FILE = {"type": "string", "pattern": r"\.ya?ml$", "description": "A mapping file beside this one."}


_LIMITS = {
    "minimum": "from",
    "exclusiveMinimum": "above",
    "maximum": "to",
    "exclusiveMaximum": "below",
    "multipleOf": "in steps of",
}
"""Keyword of JSON schema -> in words."""


def schema() -> dict[str, Any]:
    """Return the JSON schema of an area file as people write it: presets by name, a mapping in a file of its own."""
    made = Area.model_json_schema(by_alias=True)
    parts = {"Area": made} | made["$defs"]
    for kind in (*SECTIONS.values(), *SOURCES):
        part, meanings = parts[kind.__name__], docstrings(kind)
        part["description"] = " ".join((inspect.getdoc(kind) or "").split())
        for name, field in kind.model_fields.items():
            said = part["properties"][field.alias or name]
            said.pop("title", None)
            said["description"] = meanings[name]
        part.pop("title", None)
    properties = made["properties"]
    properties["aoi"] |= _AOI
    scheme = properties["labels"].pop("$ref")
    properties["labels"]["anyOf"] = [_PRESET, _MAPPING_FILE, {"$ref": scheme}]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Area file of Landstream"} | made


def schema_text() -> str:
    """Return the schema's file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def page() -> str:
    """Return the whole page."""
    made = schema()
    parts = [_HEAD]
    for place, kind in SECTIONS.items():
        part = made if kind is Area else made["$defs"][kind.__name__]
        parts.append(f"\n## {f'`{place}`' if place else 'Keys'}\n\n{part['description']}\n\n")
        parts.append("| key | type | default | meaning |\n| --- | --- | --- | --- |\n")
        parts.extend(_rows(part))
        if kind is LabelScheme:
            parts.append(f"\nPresets of Corine Land Cover: {', '.join(_presets())}.\n")
    for kind in SOURCES:
        part = made["$defs"][kind.__name__]
        parts.append(f"\n## `source` with `kind: {part['properties']['kind']['const']}`\n\n{part['description']}\n\n")
        parts.append("| key | type | default | meaning |\n| --- | --- | --- | --- |\n")
        parts.extend(_rows(part))
    return "".join(parts)


def _rows(part: dict[str, Any]) -> Iterator[str]:
    for key, said in part["properties"].items():
        meaning = said["description"].replace("|", "\\|")
        yield f"| `{key}` | {_type(said)} | {_default(key, said, part)} | {meaning} |\n"


def _default(key: str, said: dict[str, Any], part: dict[str, Any]) -> str:
    if key in part.get("required", ()):
        return "required"
    if "const" in said:
        return "required"
    if said["default"] is None:
        return "computed" if key == "grid" else "none"
    return "as below" if isinstance(said["default"], dict) else f"`{json.dumps(said['default'])}`"


def _type(said: dict[str, Any]) -> str:
    """Return a type in words, with the limits of its values."""
    if "discriminator" in said:
        return "mapping"
    if "anyOf" in said:
        kinds = dict.fromkeys(_type(kind) for kind in said["anyOf"] if kind.get("type") != "null")
        return " or ".join(kinds)
    if "const" in said:
        return f"`{said['const']}`"
    if "enum" in said:
        return "one of " + ", ".join(f"`{value}`" for value in said["enum"])
    if "$ref" in said or said["type"] == "object":
        return "mapping"
    if said["type"] == "array":
        item, number = _type(said.get("items") or said["prefixItems"][0]), said.get("maxItems", 0)
        return f"{number} {item}s" if number == said.get("minItems") else f"list of {item}"
    word = {"string": "text", "boolean": "true or false"}.get(said["type"], said["type"])
    limits = " ".join(f"{words} {said[name]}" for name, words in _LIMITS.items() if name in said)
    return f"{word} {limits}".rstrip()


def _presets() -> Iterator[str]:
    for name in PRESETS:
        yield f"`{name}` ({len(preset(name).classes)} classes)"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    for path in SCHEMAS:
        path.write_text(schema_text(), encoding="utf-8")
