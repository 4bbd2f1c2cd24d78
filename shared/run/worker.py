"""The worker child: runs `process` of one stage, task after task, and dies with its parent.

`python -m shared.run.worker MODULE FD`: MODULE holds `STAGE`, FD is a socket to the runner.
"""

from __future__ import annotations

import importlib
import socket
import sys
from typing import Any

from shared.observe.failpoint import failpoint
from shared.observe.logs import configure_logs
from shared.run.outcome import Answer, Done, Kept, Progress, outcome_of
from shared.run.signals import die_with_parent, leave_stopping_to_parent
from shared.run.wire import TaskMessage, receive_task, say
from shared.stage.declare import AnyStage, LocalItem, LocalUnit, Scratch, Task
from shared.stage.registry import resolve


def run_task(stage: AnyStage, message: TaskMessage, channel: socket.socket) -> Answer:
    """Run one task; whatever it raises becomes an answer."""
    try:
        return Done(resolve(stage.process)(make_task(stage, message, channel)))
    except Exception as error:
        return outcome_of(error)


def make_task(stage: AnyStage, message: TaskMessage, channel: socket.socket) -> Task[Any]:
    """Return the task of a message, with the cube open where the stage declares one."""
    cube, job = None, message.job
    if stage.cube is not None:
        from shared.cube import open_cube

        assert message.cube is not None
        cube = open_cube(message.cube, message.area, stage.cube)
    items = [LocalItem(s.item, p) for s, p in zip((*job.inputs, *job.context), message.paths, strict=False)]
    delivery = None
    if job.delivery:
        delivery = LocalUnit(job.delivery.unit, message.paths[-1][job.delivery.unit.name])

    def report(
        done: int, total: int, of: str = "", *, loss: float | None = None, validation: float | None = None
    ) -> None:
        say(channel, Progress(done, total, of, loss, validation))

    return Task(
        job,
        tuple(items[: len(job.inputs)]),
        tuple(items[len(job.inputs) :]),
        delivery,
        message.area,
        stage.settings(),
        message.folder,
        cube,
        report,
        Scratch(message.kept, lambda path: say(channel, Kept(path))),
    )


def main() -> None:
    """Serve tasks until the runner closes the socket."""
    module, descriptor, parent = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    die_with_parent(parent)
    leave_stopping_to_parent()
    configure_logs(sys.stderr)
    channel = socket.socket(fileno=descriptor)
    stage: AnyStage = importlib.import_module(module).STAGE
    if stage.warm_up is not None:
        resolve(stage.warm_up)()
    resolve(stage.process)
    while (message := receive_task(channel)) is not None:
        answer = run_task(stage, message, channel)
        failpoint("worker.processed")
        say(channel, answer)


if __name__ == "__main__":
    main()
