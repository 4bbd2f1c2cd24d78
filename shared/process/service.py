"""A process of a distributed stream: its settings, its wait for the stack, its health over HTTP, its end."""

from __future__ import annotations

import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event
from typing import Any

from pydantic_settings import BaseSettings

from shared.area import Area
from shared.bus import Bus, BusError
from shared.items.weeks import BadKey
from shared.observe.failpoint import check_failpoint
from shared.observe.health import Health
from shared.observe.logs import configure_logs, get_logger
from shared.process.http import Check, serve
from shared.process.stack import Stack, read_stack
from shared.run.child import GRACE_S
from shared.run.context import Context
from shared.run.signals import lead_group_if_armed, stop_on_signals
from shared.settings import settings_config
from shared.store import NotFound, Store, StoreError, open_store, read_area

WAIT_S = 2.0
"""Seconds between two looks for what is not there yet: compose and Kubernetes start everything at once."""

ALIVE_S = 900.0
"""Seconds of silence after which a loop counts as hung; fetching the largest product takes less."""


class ServiceSettings(BaseSettings):
    """Settings of every process of a distributed stream."""

    model_config = settings_config()

    store: str = ""
    """`s3://BUCKET`, or a folder for what runs once; the command line may give it instead."""
    http_host: str = "127.0.0.1"
    """Address of `/metrics`, `/healthz` and `/readyz`: this machine alone unless a container says 0.0.0.0."""
    http_port: int = 0
    """Port of these; 0 = any free one, which is logged, so that several processes fit on one machine."""
    work: Path | None = None
    """Folder for scratch, with room for one unpacked product; a temporary folder where not given."""
    instance: str = ""
    """Name of this replica, the same after a restart (a pod's name): a restart moves no partition, and goes on with
    downloads."""
    grace_s: float = GRACE_S
    """Seconds for which a job may continue after SIGTERM. `up` waits 10 s longer before it kills the service; raise
    what an orchestrator grants (30 s by default) together with it."""
    log_level: str = "info"
    """`debug`, `info`, `warning` or `error`; a few lines per job at `info`."""


def run_service(
    name: str,
    settings: ServiceSettings,
    kafka: str,
    work: Callable[[Context], None],
    kept: str = "",
    **options: Any,
) -> None:
    """Run a process until SIGTERM: wait for the stack, then `work` in it.

    Args:
        name: the service's name, for logs and scratch.
        settings: its settings.
        kafka: `HOST:PORT` of the brokers; empty = as the settings say.
        work: runs until the context's `stop` is set.
        kept: a folder within the scratch of a named instance that its next start finds again; empty = none.
        options: further attributes of the context.
    """
    configure_logs(sys.stderr, settings.log_level)
    check_failpoint()
    lead_group_if_armed()
    stop, log = stop_on_signals(), get_logger(service=name)
    store, bus, health = open_store(settings.store), _connect(kafka, settings), Health(ALIVE_S)
    proved: list[Stack] = []
    checks: dict[str, Check] = {
        "bus": lambda: None if bus.reachable() else "does not answer, or has no topic of objects",
        "store": lambda: _fault(store),
        "canary": lambda: None if proved else "no stack.json yet: `landstream provision` makes it",
    }
    server = serve(settings.http_host, settings.http_port, health, checks)
    log.info("started", store=settings.store, port=server.server_port, instance=settings.instance)
    try:
        found = _wait_for_stack(store, stop, health, name)
        if found is None:
            return
        area, stack = found
        proved.append(stack)
        with _scratch(name, settings, kept) as scratch:
            work(
                Context.of_store(
                    store,
                    area,
                    bus,
                    work=scratch,
                    keys=stack.keys,
                    grace_s=settings.grace_s,
                    health=health,
                    stop=stop,
                    **options,
                )
            )
    finally:
        server.shutdown()
        bus.close()
        log.info("ended")


def _connect(kafka: str, settings: ServiceSettings) -> Bus:
    # An embedded run loads no client of Kafka.
    from shared.bus.kafka import KafkaBus, KafkaSettings

    given = KafkaSettings(servers=kafka) if kafka else KafkaSettings()
    if not given.servers:
        raise BusError("no Kafka given: use --kafka HOST:PORT or LANDSTREAM_KAFKA")
    return KafkaBus(given, settings.instance)


def _fault(store: Store) -> str | None:
    try:
        store.reach()
    except StoreError as error:
        return str(error)
    return None


def _wait_for_stack(store: Store, stop: Event, health: Health, name: str) -> tuple[Area, Stack] | None:
    """Return the area and what was proved of the stack, once both are there; None when told to stop before."""
    log, said = get_logger(service=name), ""
    while not stop.is_set():
        health.tick(name)
        try:
            area = read_area(store)
            stack = read_stack(store)
            if stack is not None:
                return area, stack
            reason = "stack.json is not there yet"
        except NotFound:
            reason = "area.json is not there yet"
        except (StoreError, BadKey) as error:
            reason = str(error)
        if reason != said:
            log.info("waiting for `landstream provision`", reason=reason)
            said = reason
        stop.wait(WAIT_S)
    return None


@contextmanager
def _scratch(name: str, settings: ServiceSettings, kept: str = "") -> Iterator[Path]:
    """Make a folder for this process; a named instance's loses what a killed process left, save what is `kept`."""
    base = settings.work or Path(tempfile.gettempdir())
    base.mkdir(parents=True, exist_ok=True)
    if settings.instance:
        folder = base / f"{name}.{settings.instance}"
        folder.mkdir(exist_ok=True)
    else:
        folder, kept = Path(tempfile.mkdtemp(prefix=f"{name}.{socket.gethostname()}-", dir=base)), ""
    _empty(folder, kept)
    try:
        yield folder
    finally:
        _empty(folder, kept)
        with suppress(OSError):  # what is kept lies in it
            folder.rmdir()


def _empty(folder: Path, kept: str) -> None:
    for path in folder.glob("*"):
        if path.name == kept:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
