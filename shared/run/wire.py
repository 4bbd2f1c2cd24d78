"""Messages between the runner and its worker: JSON behind a length; nothing executable crosses."""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field, TypeAdapter
from pydantic_core import PydanticSerializationError, to_json

from shared.area import Area
from shared.run.outcome import Answer, Remark, utf8_text
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
        kept: what was kept last of this job, for a stage that declares checkpoints.
    """

    job: Job
    paths: tuple[Paths, ...]
    area: Area
    folder: Path
    cube: str | None
    kept: Path | None = None


Said = Annotated[Answer | Remark, Field(discriminator="kind")]
"""What a worker says."""

TASK: Final = TypeAdapter(TaskMessage)
SAID: Final[TypeAdapter[Answer | Remark]] = TypeAdapter(Said)


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


def say(channel: socket.socket, said: Answer | Remark) -> None:
    """Say something to the runner; lone surrogates (names in archives may hold some, UTF-8 cannot) are spelt out."""
    try:
        data = SAID.dump_json(said)
    except PydanticSerializationError:
        data = to_json(_utf8(SAID.dump_python(said)), inf_nan_mode="null")
    send(channel, data)


def hear(channel: socket.socket) -> Answer | Remark | None:
    """Hear what the worker says; None when it is gone."""
    data = receive(channel)
    return None if data is None else SAID.validate_json(data)


def _utf8(value: Any) -> Any:
    """Return what is to become JSON, all of its texts such as UTF-8 can hold."""
    if isinstance(value, str | Path):
        return utf8_text(str(value))
    if isinstance(value, dict):
        return {_utf8(key): _utf8(v) for key, v in value.items()}
    return [_utf8(v) for v in value] if isinstance(value, list | tuple) else value


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
