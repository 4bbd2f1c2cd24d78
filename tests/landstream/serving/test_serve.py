"""`landstream serve`: the champion over gRPC on the loopback, until Ctrl-C; mistakes in one line."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from typer.testing import CliRunner

from landstream.serving import champion
from landstream.serving.command import app, why_taken
from landstream.workspace import bind
from services.inference.client import Client
from shared.store import FolderStore
from tests.catalogues import AREA
from tests.conftest import ROOT, landstream

ENDS_WITHIN_S = 20
"""On a machine that does other things, too."""


@contextmanager
def listening() -> Iterator[int]:
    """A port that somebody listens on."""
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield int(other.getsockname()[1])


def test_a_free_port_and_a_taken_one() -> None:
    with listening() as port:
        assert f"127.0.0.1:{port}: Address already in use; give another --port" in why_taken(port)
    assert why_taken(0) == ""


def test_mistakes_are_told_in_one_line(tmp_path: Path) -> None:
    bind(FolderStore(tmp_path / "store"), AREA)
    with listening() as port:
        for arguments, said in (
            (("--store", tmp_path, "--port", port), "no store here"),
            (("--store", tmp_path / "store", "--port", 0), "no model yet; `landstream run`"),
            (("--store", tmp_path / "store", "--port", port), "Address already in use"),
        ):
            result = landstream("serve", *arguments, check=False)
            assert result.returncode == 2
            told = [line for line in result.stderr.splitlines() if not line.startswith("starting")]
            assert len(told) == 1, told
            assert said in told[0]


def test_a_server_that_ends_by_itself_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bind(FolderStore(tmp_path / "store"), AREA)
    served = Mock()  # stands for a TensorFlow that dies: none can be made to here without a model
    served.server.running = False
    monkeypatch.setattr(champion, "serve_champion", lambda *_: nullcontext(served))
    result = CliRunner().invoke(app, ["--store", str(tmp_path / "store"), "--port", "0"])
    assert result.exit_code == 1
    said = [line for line in result.stderr.splitlines() if not line.startswith("starting")]
    assert len(said) == 1
    assert "the model server ended by itself" in said[0]


def test_the_champion_is_served_until_ctrl_c(mapped: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "landstream", "serve", "--store", str(mapped), "--port", "0"]
    with (tmp_path / "errors").open("w") as errors:
        server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True)
    assert server.stdout is not None
    try:
        said = dict(server.stdout.readline().split(maxsplit=1) for _ in range(3))
        address, name = said["address"].strip(), said["model"].split(",")[0]
        assert address.startswith("127.0.0.1:")
        assert said["item"].startswith(f"{name}--v")
        with closing(Client(address, name, None, 300, 64 << 20)) as client:
            assert client.ask(256) == len(AREA.labels.classes)
            fine, coarse = np.full((256, 256, 4), 2000, np.uint16), np.full((128, 128, 6), 2000, np.uint16)
            (share,) = client.predict([{"msi_10m": fine, "msi_20m": coarse}])
        assert share.shape == (256, 256, len(AREA.labels.classes))
        assert share.any()
        server.send_signal(signal.SIGINT)
        start = time.monotonic()
        assert server.wait(timeout=ENDS_WITHIN_S) == 0
        assert time.monotonic() - start < ENDS_WITHIN_S
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
