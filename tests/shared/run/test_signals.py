"""A process ends with its parent, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import ROOT

# A parent that starts a child and waits; the child says its process id once it is bound to the parent.
PARENT = """
import subprocess, sys
subprocess.run([sys.executable, "-c", sys.argv[1]])
"""
CHILD = """
import os, signal, time
from shared.run import signals
signals.{bind}(os.getppid(), signal.SIGKILL)
print(os.getpid(), flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("bind", ["die_with_parent", "watch_parent"])
def test_a_child_dies_with_its_parent(bind: str) -> None:
    command = [sys.executable, "-c", PARENT, CHILD.format(bind=bind)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert lives(child)
        parent.kill()
        deadline = time.monotonic() + 60
        while lives(child):
            assert time.monotonic() < deadline, "it outlived its parent"
            time.sleep(0.1)


def lives(pid: int) -> bool:
    """Whether a process is there and has not ended; who adopted it may not have noticed yet."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_asks_to_stop(number: signal.Signals) -> None:
    code = "from shared.run.signals import stop_on_signals as s; e = s(); print(1, flush=True); print(e.wait(60))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.kill(process.pid, number)
        assert process.stdout.read() == "True\n"
    assert process.returncode == 0


def test_signals_are_heard_wherever_they_interrupt() -> None:
    """While the main thread holds the event's lock, and in the handler of the one before."""
    code = (
        "import os, signal; from shared.run.signals import stop_on_signals as s; e = s()\n"
        "with e._cond:\n"
        "    for _ in range(3): os.kill(os.getpid(), signal.SIGTERM); os.kill(os.getpid(), signal.SIGINT)\n"
        "print(e.wait(60))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr
