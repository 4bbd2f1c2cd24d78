"""Products in, maps out: `run` on this machine, `deliver` to a store whose services do the rest."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from landstream.commands.opening import fail, tell_result
from landstream.commands.options import AreaOption, LinkOption, StoreOption
from landstream.retention import KEEP_SNAPSHOTS

if TYPE_CHECKING:
    from landstream.stream import RunOutcome
    from shared.area import Area
    from shared.store import Store

FAILED_EXIT, INTERRUPTED_EXIT = 3, 143


def run(
    area: AreaOption,
    store: StoreOption,
    products: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PRODUCT]...", help="SAFE or SEN3 folders, .zip or .tar; label polygons."),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="End when nothing is left to do.")] = False,
    keep_snapshots: Annotated[
        int, typer.Option(min=1, help="With --once: prune the cube at the end if it holds more snapshots.")
    ] = KEEP_SNAPSHOTS,
    link: LinkOption = False,
) -> None:
    """Run all stages on this machine: products in, maps out.

    Products given here, and those dropped into STORE/landing/, are masked, put on the area's grid, merged into the
    cube, used for training and mapped. Without --once it watches STORE/landing/ until Ctrl-C. After any interruption,
    run the same line again: it continues where it stopped. At its end it prints the result, each fact on a line: model
    card, accuracy and mIoU on the hold-out, share observed, quicklook and path of the newest map.

    A store on S3 (LANDSTREAM_S3, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) works as a folder does, without Kafka; its
    bucket is made if absent.

    Exit code: 0; 3 if there are failure records (`landstream failures` shows them); 1 if a stage had to stop, or the
    disk is full or read-only; 2 if the command cannot be carried out.

    Example: landstream run --area examples/areas/demo.yaml --store runs/demo --once products/*
    """
    from landstream.progress import ProgressDisplay
    from landstream.stream import Stream
    from landstream.workspace import WorkspaceError, bind, workspace
    from services.ingest.fetch.errors import FetchError
    from services.sweeper.driver import upstream
    from shared.area import AreaError, load_area
    from shared.observe.failpoint import UnknownFailpoint, check_failpoint
    from shared.observe.logs import LogFile, configure_logs
    from shared.run.deliver import linker
    from shared.run.signals import lead_group_if_armed, stop_on_signals
    from shared.stage import registry
    from shared.store import StoreError, StoreFull

    try:
        check_failpoint()
        study_area = load_area(area)
    except (AreaError, UnknownFailpoint) as error:
        fail(error)
    missing = [p for p in products or [] if not p.exists()]
    if missing:
        fail(f"{missing[0]}: no such file or folder; check the path")
    names = [p.resolve().name for p in products or []]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        fail(f"{twice[0]}: two products of this name; rename one, or run them one after the other")
    lead_group_if_armed()
    stop = stop_on_signals()
    try:
        with (
            workspace(store) as (opened, folder),
            LogFile(folder / "log.jsonl") as log,
            ProgressDisplay([s.name for s in upstream(registry.all_stages())], stop) as progress,
        ):
            configure_logs(log)
            bind(opened, study_area)
            if link:
                linker(opened)
            try:
                stream = Stream(study_area, opened, folder, stop, progress, once, keep_snapshots, link)
            except FetchError as error:
                fail(error)
            outcome = stream.run(products or [])
    except StoreFull as error:
        fail(error, 1)
    except (WorkspaceError, StoreError) as error:
        fail(error)
    _report(outcome, opened, study_area, folder / "log.jsonl")


def _report(outcome: RunOutcome, store: Store, area: Area, log_path: Path) -> None:
    """Say what is left to do, then the result; end with the exit code."""
    for line in outcome.waiting:
        typer.echo(f"waiting: {line}", err=True)
    if outcome.stopped:
        fail(f"stopped: {outcome.stopped}; the log is {log_path}", 1)
    if outcome.failed:
        records = "1 failure record" if outcome.failed == 1 else f"{outcome.failed} failure records"
        typer.echo(f"{records}: landstream failures --store {store.location}", err=True)
    if outcome.interrupted:
        typer.echo("interrupted: run the same line again to continue", err=True)
    tell_result(store, area)
    if outcome.interrupted:
        raise typer.Exit(INTERRUPTED_EXIT)
    raise typer.Exit(FAILED_EXIT if outcome.failed else 0)


def deliver(
    products: Annotated[
        list[Path], typer.Argument(metavar="PRODUCT...", help="SAFE or SEN3 folders, .zip or .tar; label polygons.")
    ],
    store: StoreOption,
    link: LinkOption = False,
) -> None:
    """Put products into a store's landing/ for its services.

    Example: landstream deliver --store s3://landstream products/*
    """
    from landstream.progress import ProgressDisplay
    from landstream.workspace import WorkspaceError, open_bound
    from shared.items.weeks import BadKey
    from shared.run.deliver import DeliveryStopped
    from shared.run.deliver import deliver as put_into_landing
    from shared.store import StoreError

    missing = [p for p in products if not p.exists()]
    if missing:
        fail(f"{missing[0]}: no such file or folder; check the path")
    try:
        target, _ = open_bound(store)
        with ProgressDisplay() as progress:
            for done, path in enumerate(products):
                progress.observe("landing", "progress", path.name, done, len(products), "products")
                put_into_landing(target, path, Event(), link)
            progress.observe("landing", "progress", "", len(products), len(products), "products")
    except (WorkspaceError, StoreError, BadKey, OSError, DeliveryStopped) as error:
        fail(error)
