"""Which models were brought by people, and the id of what they bring."""

from __future__ import annotations

from typing import Final

from shared.items.collections import MODEL_IMPORTS
from shared.items.ids import digest8, make_id
from shared.items.item import Item

ARCHIVE: Final = "model"
"""Asset of an import, as of a model: the SavedModel in an uncompressed tar."""

CARD: Final = "card"
"""Asset of an import: what its owner says of it, with the properties of STAC MLM, as JSON."""

IMPORT_VERSION: Final = 1
"""Of the form of an import's item."""


def is_imported(model: Item) -> bool:
    """Return whether a model was brought, and not trained here."""
    return any(collection == MODEL_IMPORTS for collection, _ in model.derived_from)


def import_id(area_name: str, archive_sha256: str, card_sha256: str) -> str:
    """Return the id of an import: the same archive and card are one import, however often they are brought."""
    return make_id(area_name, IMPORT_VERSION, digest8([archive_sha256, card_sha256]))
