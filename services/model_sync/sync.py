"""Puts models in place for TensorFlow Serving, beside it: `python -m services.model_sync --models DIR`.

TensorFlow Serving reads no S3, and loads any numbered folder at once. So a model is fetched and verified beside its
place, then renamed into it, and only then named in `models.config`, which the server polls.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from shared.area import Area
from shared.items.champion import challenger, champion
from shared.items.item import Item
from shared.items.model_archive import KEPT_VERSIONS, UnsafeModel, unpack
from shared.items.reader import CatalogueReader
from shared.items.stac import asset_key, sha256_of
from shared.observe.health import Health
from shared.observe.logs import configure_logs, get_logger
from shared.process.http import serve
from shared.process.service import ALIVE_S, ServiceSettings
from shared.run.signals import stop_on_signals
from shared.settings import OwnSettings
from shared.stage import registry
from shared.store import ChecksumMismatch, NotFound, Store, StoreError, open_store, read_area

NAME = "model-sync"
CONFIG = "models.config"
NO_MODEL = "# No model yet.\n"
"""TensorFlow Serving starts with this, and loads a model as soon as one is named; it cannot map an empty file."""

AT_FAULT_S = 300.0
"""Pause after a model that is not what its item says, in seconds: it may be large, and is fetched as a whole."""

_INCOMING = ".incoming-"


class SyncSettings(OwnSettings):
    """Settings of the model sync, beside those of every process."""

    models: Path | None = None
    """Folder of the models; the server must see it under the same path, as `models.config` names it."""
    sync_s: float = 10.0
    """Seconds between two looks at the store; training a model takes minutes at best."""


class ModelSync:
    """Keeps a folder in step with the store's champion.

    Args:
        store: the object store.
        folder: where the models go; emptied of what a killed sync left half done.
    """

    def __init__(self, store: Store, folder: Path) -> None:
        self._store, self._folder = store, folder.absolute()
        self._reader: CatalogueReader | None = None
        self._area: Area | None = None
        self._folder.mkdir(parents=True, exist_ok=True)
        for stale in self._folder.rglob(f"{_INCOMING}*"):
            shutil.rmtree(stale, ignore_errors=True)
        if not self.config.exists():
            _replace(self.config, NO_MODEL)

    @property
    def config(self) -> Path:
        """What the server reads; it names whole models only."""
        return self._folder / CONFIG

    def sync(self) -> int | None:
        """Fetch the champion, and a challenger on trial; return the champion's version, or None before there is one.

        Raises:
            StoreError: the store is away, or holds other bytes than the model's item says.
            UnsafeModel: the archive is not a plain SavedModel.
        """
        if self._reader is None or self._area is None:
            self._area = read_area(self._store)
            self._reader = CatalogueReader(self._store, self._area, registry.rules())
        catalogue = self._reader.snapshot()
        model, beside = champion(catalogue), challenger(catalogue) if self._area.canary_percent else None
        if model is None:
            return None
        base, version = self._folder / self._area.name, int(model.properties["landstream:model_version"])
        if beside is not None:
            self._bring(beside, base, int(beside.properties["landstream:model_version"]))
        self._bring(model, base, version)
        versions, kept = _by_age(base), KEPT_VERSIONS + (beside is not None)
        text = _config(self._area.name, base, sorted(int(p.name) for p in versions[-kept:]))
        if self.config.read_text() != text:
            _replace(self.config, text)
        for old in versions[:-kept]:  # the server has been told to leave it
            shutil.rmtree(old, ignore_errors=True)
        return version

    def _bring(self, model: Item, base: Path, version: int) -> None:
        if not (base / str(version)).is_dir():
            sha256 = sha256_of(model.assets["model"])
            if sha256 is None:
                raise UnsafeModel(f"{model.id}: its item states no checksum")
            with TemporaryDirectory(prefix=_INCOMING, dir=self._folder) as folder:
                archive = Path(folder) / "model.tar"
                self._store.fetch(asset_key(model, "model"), archive, sha256)
                unpack(archive, base, version)
        (base / str(version)).touch()


def _by_age(base: Path) -> list[Path]:
    """Return the version folders, the most recent one last; the numbers say nothing, as they are digests."""
    return sorted((p for p in base.iterdir() if p.name.isdecimal()), key=lambda p: p.stat().st_mtime_ns)


def _config(name: str, base: Path, versions: Sequence[int]) -> str:
    """Return a `ModelServerConfig` in protocol buffers' text format."""
    wanted = " ".join(f"versions: {version}" for version in versions)
    return (
        "model_config_list {\n  config {\n"
        f"    name: {json.dumps(name)}\n    base_path: {json.dumps(str(base))}\n"
        '    model_platform: "tensorflow"\n'
        f"    model_version_policy {{ specific {{ {wanted} }} }}\n"
        "  }\n}\n"
    )


def _replace(path: Path, text: str) -> None:
    """Write a file as a whole: the server may read at any moment."""
    partial = path.with_name(f"{_INCOMING}{path.name}")
    partial.write_text(text)
    partial.replace(path)


def run(settings: ServiceSettings, own: SyncSettings, folder: Path, once: bool) -> None:
    """Sync until SIGTERM, or once; what is away or wrong is tried again, and the last good model stays in place."""
    configure_logs(sys.stderr, settings.log_level)
    stop, health, log = stop_on_signals(), Health(ALIVE_S), get_logger(service=NAME)
    sync = ModelSync(open_store(settings.store), folder)
    if once:
        sync.sync()
        return
    server = serve(settings.http_host, settings.http_port, health, {})
    log.info("started", store=settings.store, port=server.server_port)
    last: int | None = None
    try:
        while not stop.is_set():
            health.tick(NAME)
            pause_s = own.sync_s
            try:
                version = sync.sync()
                if version != last:
                    log.info("model in place", version=version)
                    last = version
            except NotFound as error:
                log.info("waiting for `landstream provision`", reason=f"{error} is not there yet")
            except (ChecksumMismatch, UnsafeModel) as error:
                log.error("the model before stays in place", error=str(error))
                pause_s = max(AT_FAULT_S, pause_s)
            except StoreError as error:
                log.warning("the store is away", error=str(error))
            stop.wait(pause_s)
    finally:
        server.shutdown()


def main() -> None:
    """Run the sync from the command line; what it leaves out comes from the environment."""
    parser = argparse.ArgumentParser(prog="python -m services.model_sync", description=__doc__)
    parser.add_argument("--store", default="", metavar="URL", help="s3://BUCKET or a folder (LANDSTREAM_STORE)")
    parser.add_argument(
        "--models", type=Path, metavar="DIR", help="folder of the models (LANDSTREAM_MODEL_SYNC_MODELS)"
    )
    parser.add_argument("--once", action="store_true", help="look once, then end")
    given = parser.parse_args()
    settings = ServiceSettings(**({"store": given.store} if given.store else {}))
    own = SyncSettings(**({"models": given.models} if given.models else {}))
    if not settings.store or own.models is None:
        parser.error("give a store and a folder: --store, --models, or LANDSTREAM_STORE, LANDSTREAM_MODEL_SYNC_MODELS")
    try:
        run(settings, own, own.models, given.once)
    except (StoreError, UnsafeModel, ValueError) as error:
        sys.exit(f"landstream: {error}")
