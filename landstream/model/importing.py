"""Bring a model: a SavedModel and its card become an item, which the trainer checks, scores and publishes."""

from __future__ import annotations

import hashlib
import tempfile
from contextlib import suppress
from pathlib import Path

from shared.area import Area
from shared.items.collections import MODEL_IMPORTS
from shared.items.ids import canonical
from shared.items.keys import item_key
from shared.items.model_archive import UnsafeModel, pack, unpack
from shared.items.model_card import MOST_CARD_BYTES, BadCard, ModelCard, read_card
from shared.items.model_imports import ARCHIVE, CARD, IMPORT_VERSION, import_id
from shared.items.properties import ModelImportFacts
from shared.items.stac import JSON, TAR, asset_href, make_item
from shared.items.weeks import STATIC
from shared.run.commit import artifact_keys, asset_json
from shared.stage.declare import NewAsset
from shared.store import PreconditionFailed, Store


class NotImported(ValueError):
    """Raised when a model cannot be imported; one line says why, and what to do."""


def import_model(store: Store, area: Area, model: Path, card: Path, title: str = "") -> str:
    """Upload a model and create its item, and return the item's id.

    Args:
        store: where to.
        area: the study area.
        model: folder of a SavedModel, or an uncompressed tar of its files.
        card: JSON file with the properties of STAC MLM.
        title: what it is, for people; empty = what the card calls it.

    Raises:
        NotImported: it is not a plain SavedModel, the card is not one of a model of this area, or both were imported
            before.
    """
    try:
        data, stated = _read_card(card, area)
        with tempfile.TemporaryDirectory(prefix="landstream-model-") as folder:
            archive, copied = Path(folder) / "model.tar", Path(folder) / "card.json"
            copied.write_bytes(data)
            pack(_folder_of(model, Path(folder)), archive)
            return _create(store, area, archive, copied, stated, title)
    except UnsafeModel as error:
        raise NotImported(f"{error}; export it with `keras.export.ExportArchive`, without assets") from error
    except OSError as error:
        raise NotImported(f"{error.filename or model}: {error.strerror or error}; check the path") from error


def _read_card(path: Path, area: Area) -> tuple[bytes, ModelCard]:
    with path.open("rb") as file:
        data = file.read(MOST_CARD_BYTES + 1)
    try:
        return data, read_card(data, area)
    except BadCard as error:
        raise NotImported(f"{path}: {error}") from error


def _folder_of(model: Path, scratch: Path) -> Path:
    """Return the folder of a SavedModel, unpacked if it is an archive."""
    if model.is_dir():
        return model
    with model.open("rb"):  # what is not there is no archive either: the path is at fault, not its content
        return unpack(model, scratch / "unpacked", 1)


def _create(store: Store, area: Area, archive: Path, card: Path, stated: ModelCard, title: str) -> str:
    assets = {
        ARCHIVE: NewAsset(archive, TAR, ("mlm:model",), "TensorFlow SavedModel, one folder in an uncompressed tar"),
        CARD: NewAsset(card, JSON, ("metadata",), "What its owner says of it, with the properties of STAC MLM"),
    }
    digests = {name: _sha256(asset.path) for name, asset in assets.items()}
    item_id = import_id(area.name, digests[ARCHIVE], digests[CARD])
    key = item_key(MODEL_IMPORTS, STATIC, item_id)
    if store.exists(key):
        raise NotImported(f"{item_id}: was imported before, with this card; `landstream model list` shows models")
    keys = artifact_keys(MODEL_IMPORTS, STATIC, item_id, assets, digests)
    for name, place in keys.items():
        with suppress(PreconditionFailed):  # the same content: its key says so
            store.put(place, assets[name].path, create_only=True)
    facts = ModelImportFacts(
        name=stated.name, title=title.strip() or f"{stated.name}: {stated.architecture}", sha256=digests[ARCHIVE]
    )
    item = make_item(
        collection=MODEL_IMPORTS,
        week=STATIC,
        item_id=item_id,
        geometry=area.aoi,
        bbox=area.polygon.bounds,
        properties=_years(area) | facts.properties(),
        assets={
            name: asset_json(asset, asset_href(MODEL_IMPORTS, STATIC, item_id, keys[name]), digests[name])
            for name, asset in assets.items()
        },
        inputs=[],
        stage="operator",
        stage_version=IMPORT_VERSION,
    )
    with suppress(PreconditionFailed):  # somebody else imports the same at this moment
        store.put(key, canonical(item), create_only=True)
    return item_id


def _years(area: Area) -> dict[str, str | None]:
    """Return the time that an import is of: the years that the area maps."""
    start, end = f"{min(area.years)}-01-01T00:00:00Z", f"{max(area.years)}-12-31T23:59:59Z"
    return {"datetime": None, "start_datetime": start, "end_datetime": end}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
