"""A server's process: in a session of its own, known by a pid file, stopped only if it is still the one we started."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Replace a file as a whole by one which only its owner reads."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.unlink(missing_ok=True)
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    partial.replace(path)


def identity(pid: int) -> dict[str, int | str] | None:
    """Return what tells a process from any later one of the same pid; None once it is gone."""
    try:
        # The name, in parentheses, may hold anything; the start time is the 20th field behind it.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return {"pid": pid, "started": int(fields[19]), "boot": boot}


def is_zombie(pid: int) -> bool:
    """Return whether it has ended and only waits to be asked how; asks, if it is ours to ask."""
    try:
        with suppress(ChildProcessError):
            return os.waitpid(pid, os.WNOHANG)[0] == pid
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


@dataclass(frozen=True)
class Process:
    """A process that outlives the one which starts it."""

    pid_file: Path
    log: Path

    @property
    def pid(self) -> int | None:
        """The id of the process while it lives; None for a stale pid file, whoever has that id by now."""
        try:
            record = json.loads(self.pid_file.read_text())
            pid = int(record["pid"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
        return pid if identity(pid) == record and not is_zombie(pid) else None

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start it in a session and process group of its own; output is appended to the log."""
        blocked = {signal.SIGINT, signal.SIGTERM}
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)  # an interrupt must not part a process from its file
        try:
            # No Popen: it warns, and leaves a zombie, where a server outlives the one who started it.
            pid = os.posix_spawn(
                command[0],
                [*command],
                environment,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 1, self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                    (os.POSIX_SPAWN_DUP2, 1, 2),
                ],
                setsid=True,
                setsigmask=(),
                setsigdef=(signal.SIGINT, signal.SIGPIPE),  # Python ignores SIGPIPE, `nohup` and `&` SIGINT
            )
            write_private(self.pid_file, json.dumps(identity(pid)))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal to its group; False if it no longer lives."""
        pid = self.pid
        if pid is None:
            return False
        with suppress(ProcessLookupError):
            os.killpg(pid, number)
        return True

    def stop(self, grace_s: float) -> None:
        """SIGTERM; SIGKILL if it still lives after the grace."""
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)  # one that a SIGSTOP holds sees no SIGTERM
        if not self.ended(grace_s):
            self.kill()
        self.pid_file.unlink(missing_ok=True)

    def kill(self) -> None:
        """SIGKILL: what a crash of the machine looks like to its clients."""
        if self.signal(signal.SIGKILL):
            self.ended(10)

    def ended(self, within_s: float) -> bool:
        """Wait for its end."""
        deadline = time.monotonic() + within_s
        while self.pid is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def tail(self, lines: int = 15) -> str:
        """Return the end of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""
