"""The `landstream` command."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from threading import Event
from typing import Annotated

import typer

from landstream import areas, distributed, new_service, report
from landstream.distributed import fail
from landstream.progress import Progress
from landstream.stream import Outcome, Stream
from landstream.workspace import StoreError, bind, open_bound, workspace
from services.sweeper import Sweep
from shared.area import Area, AreaError, load_area
from shared.bus import BusError
from shared.items.keys import check_week, failure_key, receipt_key
from shared.observe.failpoint import FAILPOINTS, UnknownFailpoint, armed, check_failpoint
from shared.observe.logs import configure_logs
from shared.run.context import Context
from shared.stage import registry
from shared.stage.due import job_id
from shared.stage.registry import NoSuchService, load
from shared.store import ChecksumMismatch, Store
from shared.store import StoreError as ServerError

FAILED_EXIT, INTERRUPTED_EXIT = 3, 143

app = typer.Typer(
    name="landstream",
    help="Continuous land-cover maps from arriving Sentinel scenes.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(areas.app, name="area")
app.command()(distributed.provision)
app.command()(distributed.up)
app.command("land")(distributed.deliver)
app.command("new-service")(new_service.new_service)

StoreOption = Annotated[str, typer.Option("--store", metavar="DIR|s3://BUCKET", help="The store.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Machine-readable JSON.")]


@app.command()
def run(
    area: Annotated[Path, typer.Option("--area", metavar="AREA.yaml", help="The area file.")],
    store: StoreOption,
    products: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PRODUCT]...", help="SAFE or SEN3 folders or .zip; label polygons."),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="End when nothing is left to do.")] = False,
) -> None:
    """Run all stages on this machine: products in, land-cover maps out.

    Products given here, and those dropped into STORE/landing/, are masked, put on the area's grid, merged into the
    cube, learnt from and mapped. Without --once it watches STORE/landing/ until Ctrl-C. After any interruption, run the
    same line again: it goes on where it was.

    A store on S3 (LANDSTREAM_S3, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) works as a folder does, without Kafka; its
    bucket is made if absent.

    Exit code: 0; 3 if there are failure records (`landstream failures` shows them); 1 if a stage had to stop;
    2 if the command cannot be carried out.

    Example: landstream run --area examples/areas/demo.yaml --store runs/demo --once products/*
    """
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
        fail(f"{twice[0]}: two products of this name; give them names of their own, or run them one after the other")
    if armed() and os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        with (
            workspace(store) as (opened, folder),
            (folder / "log.jsonl").open("a", buffering=1) as log,
            Progress() as progress,
        ):
            configure_logs(log)
            bind(opened, study_area)
            stream = Stream(study_area, opened, folder, stop, progress.observe, once)
            outcome = stream.run(products or [])
    except (StoreError, ServerError) as error:
        fail(error)
    _report(outcome, store, folder / "log.jsonl")


def _report(outcome: Outcome, store: str, log_path: Path) -> None:
    for line in outcome.waiting:
        typer.echo(f"waiting: {line}", err=True)
    if outcome.stopped:
        fail(f"stopped: {outcome.stopped}; the log is {log_path}", 1)
    if outcome.failed:
        typer.echo(f"{outcome.failed} failure records: landstream failures --store {store}", err=True)
    if outcome.interrupted:
        typer.echo("interrupted: run the same line again to go on", err=True)
        raise typer.Exit(INTERRUPTED_EXIT)
    raise typer.Exit(FAILED_EXIT if outcome.failed else 0)


@app.command()
def status(
    store: StoreOption,
    kafka: Annotated[
        str, typer.Option(metavar="HOST:PORT", envvar="LANDSTREAM_KAFKA", help="Also show lag and consumers.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """What each stage has done, has to do and has failed at; how fresh the maps are; how Kafka's groups do.

    Lag counts events of all kinds on the one topic: what waits for a stage is in `waiting`.
    """
    found = report.status(*_open(store), kafka if "://" in store else "")
    if as_json:
        typer.echo(json.dumps(found))
        return
    columns = ["done", "waiting", "failed", *(["lag", "consumers"] if kafka and "://" in store else [])]
    typer.echo(f"{'stage':<14}" + "".join(f"{c:>11}" for c in columns))
    for name, counts in found["stages"].items():
        typer.echo(f"{name:<14}" + "".join(f"{counts[c]:>11}" for c in columns))
    fresh = found["freshness_s"]
    typer.echo(f"from scene to map: {'no map yet' if fresh is None else f'{fresh:.0f} s (median of the last 100)'}")


@app.command()
def items(
    collection: Annotated[str, typer.Argument(help="Such as sentinel-2-l2a, cloud-masks, models, land-cover-maps.")],
    store: StoreOption,
    everything: Annotated[bool, typer.Option("--all", help="Also what is no longer current.")] = False,
) -> None:
    """Print the STAC items of a collection, one JSON a line."""
    folder, area = _open(store)
    for line in report.items(folder, Context.of_store(folder, area).reader.snapshot(), collection, everything):
        typer.echo(line)


@app.command()
def maps(
    store: StoreOption,
    latest: Annotated[bool, typer.Option("--latest", help="Only the current map of each sheet and week.")] = False,
) -> None:
    """Print the land-cover maps as STAC items, one JSON a line."""
    folder, area = _open(store)
    for line in report.items(folder, Context.of_store(folder, area).reader.snapshot(), "land-cover-maps", not latest):
        typer.echo(line)


@app.command()
def failures(store: StoreOption) -> None:
    """Print the failure records, one JSON a line: file, fault and remedy of each."""
    folder, area = _open(store)
    for line in report.failures(folder, Context.of_store(folder, area).reader.snapshot()):
        typer.echo(line)


@app.command()
def sweep(store: StoreOption) -> None:
    """Print what is due, one JSON a line; the next `run` does it."""
    context = Context.of_store(*_open(store))
    stages = registry.all_stages()
    surveys = Sweep(stages, context).survey(context.reader.snapshot(), context.units())
    for stage in stages:
        for _, job in surveys[stage.name].due:
            line = {"stage": stage.name, "job": job_id(stage, job, stage.settings()), "week": job.week}
            typer.echo(json.dumps(line))


@app.command()
def requeue(
    record: Annotated[str, typer.Argument(metavar="ID", help="Id of a failure record, or `all`.")], store: StoreOption
) -> None:
    """Delete a failure record, so that its job is due again."""
    folder, _ = _open(store)
    found = [json.loads(folder.get(key)) for key in folder.keys("failures/")]
    chosen = [r for r in found if record in ("all", r["id"])]
    if not chosen:
        fail(f"no failure record {record!r}; `landstream failures --store {store}` lists them")
    for failure in chosen:
        # The receipt first: if this is ended in between, the record stands and can be requeued again. A receipt
        # without its failure record would say "done" of a unit that never was.
        if failure["receipt"]:
            folder.delete(receipt_key(failure["receipt"]))
        folder.delete(failure_key(failure["stage"], failure["id"]))
        typer.echo(f"requeued {failure['stage']} {failure['id']}")


@app.command()
def reprocess(
    stage: Annotated[str, typer.Argument(metavar="STAGE", help="Name of a service.")],
    store: StoreOption,
    week: Annotated[str, typer.Option(help="One week, such as 2018-W23.")] = "all",
) -> None:
    """Order the results of older versions of a stage to be made again by the present one."""
    folder, _ = _open(store)
    try:
        version = load(stage).version
        if week != "all":
            check_week(week)
    except (NoSuchService, ValueError) as error:
        fail(error)
    folder.put(f"reprocess/{stage}/{week}-v{version}.json", b"{}")
    typer.echo(f"results of {stage} older than version {version} are due again ({week})")


@app.command()
def digest(store: StoreOption) -> None:
    """Print what is current as sorted lines `sha256  key`: two runs over the same products give the same text."""
    from landstream.digest import digest_lines  # it opens the cube, whose libraries not every image has

    try:
        for line in digest_lines(*_open(store)):
            typer.echo(line)
    except ChecksumMismatch as error:
        fail(error, 1)


@app.command()
def failpoints(as_json: JsonOption = False) -> None:
    """Print the names at which LANDSTREAM_FAILPOINT=NAME[:K] ends a run, for tests of recovery."""
    for name, (hits, where) in FAILPOINTS.items():
        typer.echo(json.dumps({"name": name, "hits": hits, "where": where}) if as_json else name)


def _open(store: str) -> tuple[Store, Area]:
    try:
        return open_bound(store)
    except StoreError as error:
        fail(error)


def main() -> None:
    """Entry point; the simulator is imported only when it is asked for, as it needs its own extra."""
    if len(sys.argv) > 1 and (sys.argv[1] == "simulate" or sys.argv[1] in ("--help", "-h")):
        from simulator.commands import app as simulate

        app.add_typer(simulate, name="simulate", help="Make format-faithful Sentinel and Corine products.")
    try:
        app()
    except (ServerError, BusError) as error:  # a store or Kafka that went away, or refuses
        typer.echo(f"landstream: {error}", err=True)
        sys.exit(2)
