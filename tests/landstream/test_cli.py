"""What every command has in common."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from landstream import cli
from landstream.workspace import bind
from shared.area import load_area
from shared.bus import BusUnavailable
from shared.store import FolderStore, StoreUnavailable
from tests.conftest import AREAS


@pytest.mark.parametrize("error", [StoreUnavailable("S3: does not answer"), BusUnavailable("Kafka: does not answer")])
@pytest.mark.parametrize("command", [["status"], ["failures"], ["sweep"], ["digest"], ["maps"], ["items", "models"]])
def test_a_server_that_goes_away_is_one_line(
    command: list[str], error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    bind(FolderStore(tmp_path), load_area(AREAS / "small.yaml"))

    def away(*_: object) -> None:
        raise error

    monkeypatch.setattr("shared.items.reader.CatalogueReader.snapshot", away)
    monkeypatch.setattr(sys, "argv", ["landstream", *command, "--store", str(tmp_path)])
    with pytest.raises(SystemExit, match="2"):
        cli.main()
    assert capsys.readouterr().err == f"landstream: {error}\n"
