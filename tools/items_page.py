"""Generate docs/items.md from the facts that items carry: `python -m tools.items_page`."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections import defaultdict
from pathlib import Path

from shared.items.properties import KINDS, PREFIX, Facts
from tools.docstrings import docstrings

PAGE = Path(__file__).parents[1] / "docs" / "items.md"

_HEAD = """# What items say

Every item is STAC 1.1. Beyond STAC and its extensions, items of each collection carry these properties. The page is
generated from `shared/items/properties.py` by `python -m tools.items_page`.

Every item also carries `landstream:inputs`: (collection, id) of each item that it was derived from.
"""


def _in_json(annotation: str) -> str:
    """Return an annotation in JSON's words."""
    words = {"tuple": "list", "Mapping": "object", "str": "text", "int": "integer", "float": "number", "Any": "any"}
    plain = annotation.removesuffix(" | None").replace("|", "or").replace(", ...", "").replace("Literal", "")
    return re.sub(r"\w+", lambda m: words.get(m[0], m[0]), plain)


def page() -> str:
    """Return the whole page."""
    collections: dict[type[Facts], list[str]] = defaultdict(list)
    for collection, kind in KINDS.items():
        collections[kind].append(collection)
    parts = [_HEAD]
    for kind, names in collections.items():
        parts.append(f"\n## {', '.join(f'`{n}`' for n in names)}\n\n{inspect.getdoc(kind)}\n")
        parts.append("\n| property | type | meaning |\n|---|---|---|\n")
        meanings = docstrings(kind)
        for field in dataclasses.fields(kind):
            shown = _in_json(str(field.type))
            optional = "" if field.default is dataclasses.MISSING else ", may be absent"
            parts.append(f"| `{PREFIX}{field.name}` | `{shown}`{optional} | {meanings[field.name]} |\n")
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
