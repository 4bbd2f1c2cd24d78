"""The server, started by hand."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import httpx

from tests.conftest import ROOT
from tests.tools.servers.catalogue.products import make_safe, safe


def test_it_prints_its_addresses_and_offers_a_folder(tmp_path: Path) -> None:
    make_safe(tmp_path)
    (tmp_path / "notes.txt").write_text("no product")
    command = [sys.executable, "-m", "tools.servers.catalogue", "--products", str(tmp_path), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "1 products\n"
        address = process.stdout.readline().removeprefix("stac_url: ").strip()
        found = httpx.get(f"{address}/search").json()["features"]
        process.send_signal(signal.SIGTERM)
        assert "secret key: " in process.stdout.read()
        assert process.wait(10) == 0
    assert [item["id"] for item in found] == [safe(0)]
