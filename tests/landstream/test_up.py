"""The supervisor, with stand-ins for the services: what it starts, starts again and ends."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

import pytest

from landstream.up import AlreadyUp, Supervisor, _Service, alone_in
from tests.conftest import AREAS, landstream

SLEEP = "import time; time.sleep(600)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
WITH_CHILD = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "


class Supervised:
    """A supervisor in a thread."""

    def __init__(self, work: Path, **scripts: str) -> None:
        self.work, self.lines, self.stop = work, list[str](), Event()
        self.supervisor = Supervisor("s3://b", "127.0.0.1:9", work, 0, self.lines.append)
        self.supervisor._services = [_Service(n, [sys.executable, "-c", script], 0) for n, script in scripts.items()]
        self.thread = Thread(target=self.supervisor.run, args=(self.stop,))
        self.thread.start()

    def pid(self, name: str, other_than: int = 0) -> int:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            path = self.work / f"{name}.pid"
            text = path.read_text() if path.exists() else ""
            if text.endswith("\n") and int(text) != other_than:
                return int(text)
            time.sleep(0.05)
        raise AssertionError(self.lines)

    def end(self) -> None:
        self.stop.set()
        self.thread.join(60)
        assert not self.thread.is_alive()


def running_groups() -> set[int]:
    """Process groups with a process that has not ended, reaped or not."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            state, _, group = stat.read_text().rpartition(")")[2].split()[:3]
            if state != "Z":
                found.add(int(group))
    return found


def test_what_ends_is_started_again(tmp_path: Path) -> None:
    run = Supervised(tmp_path, steady=SLEEP, broken="raise SystemExit(3)")
    try:
        first = run.pid("steady")
        (tmp_path / "steady.pid").unlink()  # as tidying of temporary folders does
        os.kill(first, 9)
        assert run.pid("steady", other_than=first) != first
        assert any("steady: ended (signal SIGKILL)" in line for line in run.lines)
        assert any("broken: ended (status 3)" in line for line in run.lines)
    finally:
        run.end()
    assert not list(tmp_path.glob("*.pid"))


def test_each_is_a_group_of_its_own_and_none_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("landstream.up.SETTLE_S", 1.0)
    monkeypatch.setenv("LANDSTREAM_GRACE_S", "0")
    run = Supervised(tmp_path, parent=WITH_CHILD + SLEEP, stubborn=STUBBORN)
    groups = [run.pid("parent"), run.pid("stubborn")]
    time.sleep(1)
    assert [os.getpgid(pid) for pid in groups] == groups
    run.end()
    assert not set(groups) & running_groups()
    assert any("stubborn: did not end by itself" in line for line in run.lines)


def test_one_supervisor_a_folder(tmp_path: Path) -> None:
    with alone_in(tmp_path), pytest.raises(AlreadyUp, match="another `landstream up`"), alone_in(tmp_path):
        pytest.fail("two hold one folder")
    with alone_in(tmp_path):
        pass


def test_who_is_refused_has_provisioned_nothing(tmp_path: Path) -> None:
    options = ("--area", AREAS / "small.yaml", "--store", "s3://nowhere", "--kafka", "127.0.0.1:9", "--work", tmp_path)
    with alone_in(tmp_path):
        result = landstream("up", *options, check=False)
    assert result.returncode == 2
    assert result.stdout == ""
    assert "another `landstream up` uses it" in result.stderr
