"""The model sync: the server's folder never shows a model that is not whole and verified."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from services.model_sync.sync import NO_MODEL, ModelSync
from shared.area import load_area
from shared.items.ids import numbered_id
from shared.items.keys import item_key
from shared.items.model_archive import UnsafeModel
from shared.items.stac import multihash
from shared.store import ChecksumMismatch, FolderStore, NotFound
from shared.store.area import AREA_KEY, area_json
from tests.conftest import AREAS, ROOT


def saved_model(content: bytes) -> bytes:
    """A tar that looks like a SavedModel."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo("saved_model.pb")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


WHOLE: dict[str, object] = {
    "geometry": {"type": "Point", "coordinates": [24.0, 46.0]}, "bbox": [24.0, 46.0, 24.0, 46.0], "links": [],
}  # fmt: skip
MOMENT = {"datetime": "2018-06-04T00:00:00Z"}


class Trained:
    """A store into which models are committed."""

    def __init__(self, folder: Path) -> None:
        self.store = FolderStore(folder)
        self.area = load_area(AREAS / "small.yaml")
        self.store.put(AREA_KEY, area_json(self.area))

    def commit(
        self, digest: str, sha256: str | None = None, archive: bytes | None = None, promoted: bool = True
    ) -> int:
        """Commit a model and promote it; its version."""
        data = saved_model(digest.encode()) if archive is None else archive
        stated = hashlib.sha256(data).hexdigest() if sha256 is None else sha256
        item_id, key = f"small--v1-{digest}", f"artifacts/models/static/small--v1-{digest}/model-{stated[:12]}.tar"
        self.store.put(key, data)
        item = {
            **WHOLE,
            "id": item_id,
            "collection": "models",
            "properties": {**MOMENT, "landstream:model_name": "small", "landstream:model_version": int(digest, 16)},
            "assets": {"model": {"href": f"../../../{key}", "file:checksum": multihash(stated) if stated else None}},
        }
        if not stated:
            del item["assets"]["model"]["file:checksum"]  # type: ignore[index]
        self.store.put(item_key("models", "static", item_id), json.dumps(item).encode())
        if not promoted:
            return int(digest, 16)
        number = 1 + sum(1 for _ in self.store.keys("items/promotions/"))
        said = {
            **WHOLE,
            "id": numbered_id("small", number),
            "collection": "promotions",
            "properties": {**MOMENT, "landstream:model": item_id},
            "assets": {},
        }
        self.store.put(item_key("promotions", "static", said["id"]), json.dumps(said).encode())
        return int(digest, 16)


@pytest.fixture
def trained(tmp_path: Path) -> Trained:
    return Trained(tmp_path / "store")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


def shown(models: Path, name: str = "small") -> list[int]:
    """The versions that a server would load."""
    return sorted(int(p.name) for p in (models / name).iterdir() if p.name.isdecimal())


def test_the_champion_comes_into_place(trained: Trained, models: Path) -> None:
    sync = ModelSync(trained.store, models)
    assert sync.config.read_text() == NO_MODEL
    assert sync.sync() is None, "no model is promoted yet"
    version = trained.commit("0000002a")
    assert sync.sync() == version == 42
    assert (models / "small" / "42" / "saved_model.pb").read_bytes() == b"0000002a"
    assert not list(models.rglob(".incoming*"))


@pytest.mark.parametrize(("percent", "expected"), [(0, [5]), (10, [5, 9])])
def test_a_challenger_on_trial_comes_beside(trained: Trained, models: Path, percent: int, expected: list[int]) -> None:
    area = trained.area.model_copy(update={"canary_percent": percent})
    trained.store.put(AREA_KEY, area_json(area))
    trained.commit("00000005")
    trained.commit("00000009", promoted=False)
    assert ModelSync(trained.store, models).sync() == 5
    assert shown(models) == expected


def test_the_newest_two_by_time_stay_whatever_their_numbers(trained: Trained, models: Path) -> None:
    sync = ModelSync(trained.store, models)
    for digest, expected in (("00000009", [9]), ("00000003", [3, 9]), ("00000005", [3, 5])):
        trained.commit(digest)
        sync.sync()
        assert shown(models) == expected
    trained.commit("00000003")
    sync.sync()
    trained.commit("00000007")
    sync.sync()
    assert shown(models) == [3, 7], "3 was current after 5"


def test_the_config_is_one_that_the_server_reads(trained: Trained, models: Path) -> None:
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    sync = ModelSync(trained.store, models)
    empty = text_format.Parse(sync.config.read_text(), model_server_config_pb2.ModelServerConfig())
    assert empty.WhichOneof("config") is None, "on which the server waits for one that is not"
    for digest in ("00000009", "00000003"):
        trained.commit(digest)
        sync.sync()
    parsed = text_format.Parse(sync.config.read_text(), model_server_config_pb2.ModelServerConfig())
    (config,) = parsed.model_config_list.config
    assert (config.name, config.base_path) == ("small", str(models / "small"))
    assert list(config.model_version_policy.specific.versions) == [3, 9] == shown(models)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"sha256": "0" * 64}, ChecksumMismatch),
        ({"sha256": ""}, UnsafeModel),
        ({"archive": b"no tar"}, UnsafeModel),
    ],
    ids=["other bytes", "no checksum", "no model"],
)
def test_a_model_at_fault_is_never_shown(
    trained: Trained, models: Path, fault: dict[str, object], error: type[Exception]
) -> None:
    sync = ModelSync(trained.store, models)
    trained.commit("00000001")
    sync.sync()
    before = sync.config.read_text()
    trained.commit("00000002", **fault)  # type: ignore[arg-type]
    with pytest.raises(error):
        sync.sync()
    assert shown(models) == [1]
    assert sync.config.read_text() == before
    assert not list(models.rglob(".incoming*"))
    trained.commit("00000003")
    assert sync.sync() == 3, "it goes on with the next one"


def test_what_a_killed_sync_left_is_swept_and_what_it_placed_stays(trained: Trained, models: Path) -> None:
    trained.commit("00000001")
    ModelSync(trained.store, models).sync()
    for stale in (models / ".incoming-abc", models / "small" / ".incoming-def"):
        stale.mkdir()
    sync = ModelSync(trained.store, models)
    assert not list(models.rglob(".incoming*"))
    assert shown(models) == [1], "a restarted sync takes nothing from a running server"
    assert "versions: 1" in sync.config.read_text()


def test_a_store_that_is_not_provisioned_is_waited_for(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        ModelSync(FolderStore(tmp_path / "store"), tmp_path / "models").sync()


def test_the_process_waits_syncs_and_ends_on_sigterm(tmp_path: Path) -> None:
    models = tmp_path / "models"
    command = [sys.executable, "-m", "services.model_sync", "--store", str(tmp_path / "store")]
    environment = {**os.environ, "LANDSTREAM_MODEL_SYNC_MODELS": str(models), "LANDSTREAM_MODEL_SYNC_SYNC_S": "0.1"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "is not there yet" in line:
                break
        assert (models / "models.config").read_text() == NO_MODEL
        trained = Trained(tmp_path / "store")
        trained.commit("0000002a")
        deadline = time.monotonic() + 20
        while "versions: 42" not in (models / "models.config").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
        assert process.wait(20) == 0
    once = subprocess.run([*command, "--models", str(tmp_path / "other"), "--once"], cwd=ROOT, check=True, timeout=60)
    assert once.returncode == 0
    assert shown(tmp_path / "other") == [42]
