"""What lies in a store's `landing/`."""

from __future__ import annotations

from pathlib import Path

from shared.run.landed import unit_of
from shared.store import FolderStore


def test_a_unit_is_a_file_or_a_folder_and_nothing_of_another_name(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    for key in ("a.zip", "b.SAFE/manifest.safe", "b.SAFE/GRANULE/x.jp2", "b.SAFE.zip"):
        store.put(f"landing/{key}", key.encode())
    file, folder = unit_of(store, "a.zip"), unit_of(store, "b.SAFE", lambda name: 7.0)
    assert file is not None
    assert folder is not None
    assert (file.is_folder, [o.path for o in file.objects]) == (False, [""])
    assert (folder.is_folder, [o.path for o in folder.objects]) == (True, ["GRANULE/x.jp2", "manifest.safe"])
    assert folder.patience_s == 7.0
    assert unit_of(store, "b") is None
