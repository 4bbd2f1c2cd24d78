"""The runner's side of a worker child: starts it, watches its time and memory, replaces it."""

from __future__ import annotations

import os
import select
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from threading import Event

from shared.observe.metrics import WORKERS_LOST
from shared.raster.options import GDAL_LIMITS
from shared.run.outcome import Answer, Kept, Progress
from shared.run.wire import TaskMessage, hear, send_task
from shared.stage.declare import AnyStage, keep_nothing

JOBS_BEFORE_REPLACEMENT = 100
GRACE_S = 20.0
"""Seconds for which a job may continue after SIGTERM, unless the settings say otherwise."""


class WorkerLost(Exception):
    """Raised when a worker crashed, took too long or used too much memory."""


class Stopped(Exception):
    """Raised when the service stops before the job is done: nothing is acknowledged."""


class Cancelled(Exception):
    """Raised when the job went to another member of the group: its result is discarded."""


class Child:
    """A reusable worker process of one stage.

    Args:
        stage: the stage.
        module: the module that holds it as `STAGE`.
        stop: set when the service is to end.
        log: path that takes the child's standard output and error.
        scratch: folder below which the child has its temporary files, removed with it; None = the system's.
        grace_s: after a stop was asked for, a job may still end within this time.
    """

    def __init__(
        self,
        stage: AnyStage,
        module: str,
        stop: Event,
        log: Path | None = None,
        scratch: Path | None = None,
        grace_s: float = GRACE_S,
    ) -> None:
        self._stage, self._module, self._stop, self._log, self._grace_s = stage, module, stop, log, grace_s
        # A worker is ended by SIGKILL: what its libraries left in temporary files would stay for good.
        self._temporary = scratch / f"{stage.name}-{uuid.uuid4().hex[:8]}" if scratch else None
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._jobs = 0

    def start(self) -> None:
        """Start the process if none runs; importing its libraries takes seconds."""
        if self._process is not None and self._process.poll() is None and self._jobs < JOBS_BEFORE_REPLACEMENT:
            return
        self.close()
        ours, theirs = socket.socketpair()
        with theirs:
            command = [
                sys.executable,
                "-m",
                "shared.run.worker",
                self._module,
                str(theirs.fileno()),
                str(os.getpid()),
            ]
            environment = {**os.environ, **GDAL_LIMITS}
            if self._temporary:
                self._temporary.mkdir(parents=True, exist_ok=True)
                environment["TMPDIR"] = str(self._temporary.absolute())
            output = self._log.open("ab") if self._log else None
            try:
                self._process = subprocess.Popen(
                    command,
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=environment,
                )
            finally:
                if output:
                    output.close()
        self._channel, self._jobs = ours, 0

    def run(
        self,
        task: TaskMessage,
        progress: Callable[[Progress], None],
        wanted: Callable[[], bool] = lambda: True,
        keep: Callable[[Path], None] = keep_nothing,
    ) -> Answer:
        """Run one task and return the worker's answer.

        Args:
            task: the task.
            progress: called with what the worker reports.
            wanted: asked twice a second; False ends the job.
            keep: called with each file that the worker wants kept.

        Raises:
            Cancelled: the job is no longer wanted.
            WorkerLost: the worker ended, or was ended, before it answered.
            Stopped: the service stops and the job did not end in time.
        """
        self.start()
        assert self._channel is not None
        assert self._process is not None
        self._jobs += 1
        deadline = time.monotonic() + self._stage.timeout_s
        stop_at: float | None = None
        try:
            send_task(self._channel, task)
        except OSError as error:
            raise self._lost("crash", f"worker of {self._stage.name} is gone ({error})") from error
        while True:
            if select.select([self._channel], [], [], 0.5)[0]:
                answer = hear(self._channel)
                if answer is None:
                    status = self._process.wait()
                    raise self._lost("crash", f"worker of {self._stage.name} ended with status {status}")
                match answer:
                    case Progress():
                        progress(answer)
                    case Kept():
                        keep(answer.path)
                    case _:
                        return answer
            if not wanted():
                self.close()
                raise Cancelled
            now = time.monotonic()
            if self._stop.is_set():
                stop_at = stop_at or now + self._grace_s
                if now > stop_at:
                    self.close()
                    raise Stopped
            if now > deadline:
                raise self._lost("timeout", f"job took longer than {self._stage.timeout_s:.0f} s")
            used_mb = resident_mb(self._process.pid)
            if used_mb > self._stage.memory_mb:
                raise self._lost("memory", f"worker used {used_mb} MB of {self._stage.memory_mb} MB")

    def _lost(self, cause: str, message: str) -> WorkerLost:
        WORKERS_LOST.labels(self._stage.name, cause).inc()
        self.close()
        return WorkerLost(message)

    def close(self) -> None:
        """End the process."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)


def resident_mb(pid: int) -> int:
    """Return the resident memory of a process and its descendants in MB; 0 once it is gone.

    0 also where there is no /proc: a stage's bound of memory holds on Linux alone.
    """
    total = 0
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        total = pages * os.sysconf("SC_PAGE_SIZE") >> 20
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += sum(map(resident_mb, map(int, (task / "children").read_text().split())))
    except (FileNotFoundError, ProcessLookupError):
        return total
    return total
