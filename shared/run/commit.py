"""Commit a result: artifacts under keys of their content, then one item, then the receipt of a landing unit."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

from shared.items.ids import canonical, digest8, make_id
from shared.items.keys import artifact_key, item_key, receipt_key
from shared.items.stac import asset_href, make_item, multihash
from shared.observe.failpoint import failpoint
from shared.observe.logs import get_logger
from shared.stage.declare import AnyStage, Job, NewAsset, NewItem, Settings
from shared.stage.source import suffix_of
from shared.store import ObjectInfo, PreconditionFailed, Store

FileId = tuple[int, int, int, int]


class Committer:
    """Writes what one stage makes.

    Args:
        stage: the stage.
        settings: its settings.
        store: where to.
    """

    def __init__(self, stage: AnyStage, settings: Settings, store: Store) -> None:
        self._stage, self._settings, self._store = stage, settings, store
        self._log = get_logger(stage=stage.name)

    def commit(
        self,
        job: Job,
        output_id: str,
        result: NewItem,
        folder: Path,
        fetched: Mapping[FileId, ObjectInfo] = MappingProxyType({}),
    ) -> bool:
        """Upload the artifacts, then create the item; return False if it was there already.

        Args:
            job: what was done.
            output_id: id of the item; empty where only the result tells.
            result: what the worker made.
            folder: the folder that its files must lie in.
            fetched: the files that the job was given, and the objects that they were.

        Raises:
            ValueError: a file lies elsewhere.
        """
        collection = job.collection or result.collection
        product, week = result.product or job.product, job.week or result.week
        digests = {name: sha256_below(folder, asset.path) for name, asset in result.assets.items()}
        if not output_id:
            digest = digest8([self._stage.name, sorted(digests.items()), self._settings.result_bearing()])
            output_id = make_id(product, self._stage.version, digest)
        keys = artifact_keys(collection, week, output_id, result.assets, digests)
        for name, key in keys.items():
            with suppress(PreconditionFailed):  # the same content: its key says so
                path = result.assets[name].path
                self._store.put(key, path, create_only=True, same_as=fetched.get(file_id(path)))
            failpoint("runner.artifact_uploaded")
        item = make_item(
            collection=collection,
            week=week,
            item_id=output_id,
            geometry=result.geometry,
            bbox=result.bbox,
            properties=result.properties,
            assets={
                name: asset_json(asset, asset_href(collection, week, output_id, keys[name]), digests[name])
                for name, asset in result.assets.items()
            },
            inputs=[s.item for s in job.inputs],
            stage=self._stage.name,
            stage_version=self._stage.version,
            extensions=result.extensions,
        )
        key = item_key(collection, week, output_id)
        failpoint("runner.before_item")
        created = self.create(key, canonical(item))
        failpoint("runner.after_item")
        self.write_receipt(job, {"item": key})
        return created

    def create(self, key: str, data: bytes) -> bool:
        """Create an object; return False if somebody else has done so, whose content stands."""
        try:
            self._store.put(key, data, create_only=True)
        except PreconditionFailed:
            if self._store.get(key) != data:
                self._log.warning("another result stands", key=key)
            return False
        return True

    def write_receipt(self, job: Job, outcome: Mapping[str, str]) -> None:
        """Say what became of the landing unit that a job was made of; nothing for other jobs."""
        if job.delivery is None:
            return
        unit = job.delivery.unit
        self.create(receipt_key(unit.name, unit.receipt_id), canonical({**job.delivery.receipt, **outcome}))


def file_id(path: Path) -> FileId:
    """Return what tells a file from every other one, and from itself once it is changed; links to it are it."""
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def artifact_keys(
    collection: str, week: str, item_id: str, assets: Mapping[str, NewAsset], digests: Mapping[str, str]
) -> dict[str, str]:
    """Return the key of each asset; a sidecar's is that of the asset it accompanies and its own last suffix."""
    keys = {
        name: artifact_key(collection, week, item_id, name, digests[name], suffix_of(asset.path.name))
        for name, asset in assets.items()
        if not asset.beside
    }
    for name, asset in assets.items():
        if asset.beside:
            main = assets[asset.beside].path.name
            keys[name] = keys[asset.beside] + asset.path.name.removeprefix(main)
    return keys


def asset_json(asset: NewAsset, href: str, sha256: str) -> dict[str, Any]:
    """Return an asset as STAC writes it."""
    return {
        "href": href,
        "type": asset.media_type,
        "roles": list(asset.roles),
        **({"title": asset.title} if asset.title else {}),
        "file:size": asset.path.stat().st_size,
        "file:checksum": multihash(sha256),
        **asset.fields,
    }


def is_below(folder: Path, path: Path) -> bool:
    """Return whether a path that a worker names is below the folder that it was given, links followed."""
    return path.resolve().is_relative_to(folder.resolve())


def sha256_below(folder: Path, path: Path) -> str:
    """Return the sha256 of a result's file.

    Raises:
        ValueError: the file is not below the task's folder.
    """
    if not is_below(folder, path):
        raise ValueError(f"{path} is not below the task's folder")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
