"""Messages between the runner and its worker: JSON behind a length; nothing executable crosses."""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, TypeAdapter

from shared.area import Area
from shared.run.outcome import Done, Failed, Later, Progress, Rejected
from shared.stage.declare import Job

_HEADER: Final = struct.Struct(">I")

Paths = Mapping[str, Path]
"""Asset name -> local file."""


@dataclass(frozen=True)
class TaskMessage:
    """A task as the runner sends it.

    Attributes:
        job: the job.
        paths: local files of each of `job.sources`, in their order.
        area: the study area.
        folder: an empty folder for results and scratch.
        cube: where the cube is, for a stage that declares one.
    """

    job: Job
    paths: tuple[Paths, ...]
    area: Area
    folder: Path
    cube: str | None


Said = Annotated[Done | Later | Rejected | Failed | Progress, Field(discriminator="kind")]
"""What a worker says."""

TASK: Final = TypeAdapter(TaskMessage)
SAID: Final[TypeAdapter[Done | Later | Rejected | Failed | Progress]] = TypeAdapter(Said)


def send(channel: socket.socket, data: bytes) -> None:
    """Send one message."""
    channel.sendall(_HEADER.pack(len(data)) + data)


def receive(channel: socket.socket) -> bytes | None:
    """Receive one message; None when the other side is gone."""
    header = _exactly(channel, _HEADER.size)
    return None if header is None else _exactly(channel, _HEADER.unpack(header)[0])


def send_task(channel: socket.socket, task: TaskMessage) -> None:
    """Send a task to the worker."""
    send(channel, TASK.dump_json(task, by_alias=True))


def receive_task(channel: socket.socket) -> TaskMessage | None:
    """Receive a task; None when the runner is gone."""
    data = receive(channel)
    return None if data is None else TASK.validate_json(data)


def say(channel: socket.socket, said: Done | Later | Rejected | Failed | Progress) -> None:
    """Say something to the runner; names in archives may hold lone surrogates, which UTF-8 cannot."""
    send(channel, SAID.dump_json(said))


def hear(channel: socket.socket) -> Done | Later | Rejected | Failed | Progress | None:
    """Hear what the worker says; None when it is gone."""
    data = receive(channel)
    return None if data is None else SAID.validate_json(data)


def _exactly(channel: socket.socket, count: int) -> bytes | None:
    data = bytearray()
    while len(data) < count:
        try:
            block = channel.recv(count - len(data))
        except ConnectionError:
            return None
        if not block:
            return None
        data += block
    return bytes(data)
