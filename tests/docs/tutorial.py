"""A page as its reader follows it: its blocks, typed in order into one shell.

Blocks fenced as `sh` and `python` are what the reader types; a `python` block is a program of its own. A block below
the comment `<!-- not run: ... -->`, which only its author sees, needs something that tests do not have. Blocks of any
other kind show what is printed.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from tests.conftest import ROOT

GRACE_S = 60
"""Seconds for what a page left running to end by itself."""

BLOCK = re.compile(r"^(<!-- not run: [^\n]* -->\n)?```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def script_of(page: str) -> str:
    """The program of the shell that types a page; it says on which line of the page it is."""
    parts = []
    for found in BLOCK.finditer(page):
        left_out, kind, text = found.groups()
        if left_out or kind not in ("sh", "python"):
            continue
        typed = text if kind == "sh" else f"python - <<'END_OF_PROGRAM'\n{text}END_OF_PROGRAM\n"
        parts.append(f"echo '== line {page.count(chr(10), 0, found.start()) + 1}'\n{typed}")
    return "".join(parts)


def follow(page: str, folder: Path, within_s: float, **variables: str) -> str:
    """Type a page in a folder that stands for a clone; what was printed. What it left running is ended."""
    for name in ("examples", "docs"):
        if not (folder / name).exists():
            (folder / name).symlink_to(ROOT / name)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with (folder / "printed.log").open("w+") as log:
        shell = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", script_of(page)],
            cwd=folder,
            env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), **variables},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            status: int | str = shell.wait(within_s)
        except subprocess.TimeoutExpired:
            status = f"longer than {within_s} s"
        finally:
            end_group(shell)
        log.seek(0)
        printed = log.read()
    assert status == 0, f"{status}\n{printed}"
    return printed


def end_group(shell: subprocess.Popen[bytes]) -> None:
    """End all that a shell started, as a terminal that is closed does: `up` ends its services by itself."""
    deadline = time.monotonic() + GRACE_S
    with suppress(ProcessLookupError):  # nothing is left
        os.killpg(shell.pid, signal.SIGTERM)
        while time.monotonic() < deadline:
            shell.poll()
            time.sleep(0.2)
            os.killpg(shell.pid, 0)
        os.killpg(shell.pid, signal.SIGKILL)
    shell.wait()
