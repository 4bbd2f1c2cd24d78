"""The worker child: runs `process` of one stage, task after task, and dies with its parent.

`python -m shared.run.worker MODULE FD`: MODULE holds `STAGE`, FD is a socket to the runner.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import Any

from shared.observe.failpoint import failpoint
from shared.observe.logs import configure_logs
from shared.run.wire import decode_task, encode_result, receive, send
from shared.stage.declare import RejectScene, RetryLater, Stage, Task
from shared.stage.registry import resolve

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Ask the kernel for SIGKILL when the parent dies, also if it is dead already."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def run_task(stage: Stage, message: dict[str, Any], channel: socket.socket) -> dict[str, Any]:
    """Run one task; whatever it raises becomes an answer."""
    try:
        job, inputs, context, area = decode_task(message)
        cube = None
        if stage.cube is not None:
            from shared.cube import open_cube

            cube = open_cube(message["cube"], area, stage.cube)
        task = Task(
            job,
            inputs,
            context,
            message["unit_path"] and Path(message["unit_path"]),
            area,
            stage.settings(),
            Path(message["folder"]),
            cube,
            lambda done, total: send(channel, {"kind": "progress", "done": done, "total": total}),
        )
        return {"kind": "done", "result": encode_result(resolve(stage.process)(task))}
    except RejectScene as error:
        return _error("reject", error) | {"file": error.file, "fault": error.fault, "remedy": error.remedy}
    except RetryLater as error:
        return _error("later", error)
    except Exception as error:
        return _error("error", error)


def _error(kind: str, error: Exception) -> dict[str, Any]:
    return {
        "kind": kind,
        "class": f"{type(error).__module__}.{type(error).__qualname__}",
        "message": str(error) or type(error).__name__,
        "traceback": traceback.format_exc(),
    }


def main() -> None:
    """Serve tasks until the runner closes the socket."""
    module, descriptor, parent = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    die_with_parent(parent)
    # Ctrl-C goes to the whole group: the runner decides when a worker ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    configure_logs(sys.stderr)
    channel = socket.socket(fileno=descriptor)
    stage: Stage = importlib.import_module(module).STAGE
    if stage.warm_up is not None:
        resolve(stage.warm_up)()
    resolve(stage.process)
    while (message := receive(channel)) is not None:
        answer = run_task(stage, message, channel)
        failpoint("worker.processed")
        send(channel, answer)


if __name__ == "__main__":
    main()
