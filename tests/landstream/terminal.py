"""The command line as somebody sees it who sits at a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

from tests.conftest import ROOT


def on_terminal(*arguments: object, columns: int = 80) -> list[str]:
    """Run a command with its standard output on a terminal of a width; the lines that it shows."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "landstream", *map(str, arguments)]
    environment = {**os.environ, "COLUMNS": str(columns)}
    process = subprocess.Popen(command, stdout=theirs, stderr=subprocess.PIPE, cwd=ROOT, env=environment)
    os.close(theirs)
    shown = bytearray()
    try:
        while block := os.read(ours, 65536):
            shown += block
    except OSError:
        pass  # Linux says so that the other end is closed
    os.close(ours)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return shown.decode().replace("\r\n", "\n").splitlines()
