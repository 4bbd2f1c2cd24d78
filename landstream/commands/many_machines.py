"""Landstream on many machines: `provision`, `up`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from landstream.commands.opening import fail
from landstream.commands.options import AreaOption, KafkaOption, S3Option

NOT_READY_EXIT = 1


def provision(
    area: AreaOption,
    store: S3Option,
    kafka: KafkaOption,
    credentials: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="One file of AWS credentials per service, each a user with least rights."),
    ] = None,
) -> None:
    """Make topics, bucket, users and notifications, and prove them.

    The proof is a canary: an object is put into the store, and its event waited for. What is there already stays, but
    for what the area file says otherwise now, which is told: run it at any time, also to see whether a stack is
    healthy. The endpoint and the keys of the store come from LANDSTREAM_S3 and AWS_ACCESS_KEY_ID,
    AWS_SECRET_ACCESS_KEY.

    Exit code: 0; 1 if the stack is not ready; 2 if the command cannot be carried out.

    Example: landstream provision --area examples/areas/small.yaml --store s3://landstream --kafka localhost:9092
    """
    _provision(area, store, kafka, credentials, typer.echo)


def up(
    area: AreaOption,
    store: S3Option,
    kafka: KafkaOption,
    work: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of logs and scratch.")] = None,
    port: Annotated[
        int, typer.Option(help="First port of /metrics, /healthz, /readyz, one per service; 0 = any free ones.")
    ] = 0,
) -> None:
    """Provision, then run every service as a process of its own.

    They run over S3 and Kafka until Ctrl-C. A service that ends is started again, sooner the longer it ran. Each
    writes its log to DIR/NAME.log and its process id to DIR/NAME.pid. Deliver products with `landstream deliver`, or
    put their objects into landing/ yourself.

    Example: landstream up --area examples/areas/small.yaml --store s3://landstream --kafka localhost:9092
    """
    from landstream.up import AlreadyUp, Supervisor, alone_in
    from landstream.workspace import WorkspaceError, area_of, machine_folder
    from shared.run.signals import stop_on_signals
    from shared.store import open_store

    _require_bucket(store)
    try:
        folder = work or machine_folder(store.removeprefix("s3://").rstrip("/"), "up")
        # First: who is refused must have changed nothing.
        with alone_in(folder.absolute()):
            _provision(area, store, kafka, None, typer.echo)
            stop = stop_on_signals()
            typer.echo(f"logs: {folder}; status: landstream status --store {store} --kafka {kafka}")
            fetches = area_of(open_store(store)).source is not None
            Supervisor(store, kafka, folder, port, typer.echo, fetches).run(stop)
    except (AlreadyUp, WorkspaceError) as error:
        fail(error)


def _require_bucket(location: str) -> None:
    """End with one line where a store is named that would be a folder: opening it would make one."""
    if "://" not in location:
        fail(f"{location}: is a folder; the services need s3://BUCKET (`landstream run` takes any store)")


def _provision(area: Path, location: str, kafka: str, credentials: Path | None, say: Callable[[str], None]) -> None:
    from landstream.provision import NotReady, ProvisionSettings
    from landstream.provision import provision as make_ready
    from landstream.workspace import WorkspaceError
    from shared.area import AreaError, load_area
    from shared.bus import BusError
    from shared.bus.kafka import KafkaBus, KafkaSettings
    from shared.store import StoreError, open_store
    from shared.store.s3 import S3Store

    _require_bucket(location)
    try:
        study_area = load_area(area)
        store, settings = open_store(location), ProvisionSettings()
        if credentials:
            settings = settings.model_copy(update={"credentials": credentials})
    except (AreaError, ValueError) as error:
        fail(error)
    assert isinstance(store, S3Store)  # any other URL is refused as it is opened
    try:
        with closing(KafkaBus(KafkaSettings(servers=kafka))) as bus:
            left = make_ready(study_area, store, bus, settings, say)
    except (NotReady, WorkspaceError, StoreError, BusError, ValueError) as error:
        fail(error, NOT_READY_EXIT)
    for line in left:
        say(f"left to you: {line}")
    say("ready")
