"""The `landstream` command: each subcommand imports what it needs when it runs, so that `--help` answers at once."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from landstream import distributed
from landstream.distributed import fail
from landstream.retention import KEEP_DAYS, KEEP_SNAPSHOTS

if TYPE_CHECKING:
    from landstream.stream import RunOutcome
    from shared.area import Area
    from shared.store import Store

FAILED_EXIT, INTERRUPTED_EXIT = 3, 143


class LazyGroup(NamedTuple):
    """A group of subcommands whose module is imported when one of them is asked for.

    Attributes:
        app: reference to its Typer app, `module:name`.
        help: its line in `landstream --help`.
    """

    app: str
    help: str


GROUPS = {
    "area": LazyGroup("landstream.areas:app", "Write and check area files."),
    "export": LazyGroup("landstream.export.command:app", "Write the maps of a week for QGIS and other programs."),
    "new-service": LazyGroup("landstream.new_service:app", "Write the files of a new service."),
    "predict": LazyGroup("landstream.predict.command:app", "Map a GeoTIFF of your own with a trained model."),
    "serve": LazyGroup("landstream.serving.command:app", "Serve a store's champion over gRPC on this machine."),
    "simulate": LazyGroup("simulator.commands:app", "Make format-faithful Sentinel and Corine products."),
}


class LazyCommands(TyperGroup):
    """The commands of `landstream`, with those groups that are imported only when they run."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands, in the order in which `--help` shows them."""
        return [*GROUPS, *super().list_commands(ctx)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; for a group that is not imported yet, its name and its help."""
        if cmd_name in GROUPS:
            return TyperCommand(cmd_name, help=GROUPS[cmd_name].help)
        return super().get_command(ctx, cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return name, command and remaining arguments of what is to run; a group is imported here."""
        if args and args[0] in GROUPS:
            module, _, name = GROUPS[args[0]].app.partition(":")
            return args[0], typer.main.get_command(getattr(importlib.import_module(module), name)), args[1:]
        return super().resolve_command(ctx, args)


app = typer.Typer(
    name="landstream",
    cls=LazyCommands,
    help="Continuous land-cover maps from arriving Sentinel scenes.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # loading what draws boxes takes longer than all the rest of `--help`
    add_completion=False,
)
StoreOption = Annotated[str, typer.Option("--store", metavar="DIR|s3://BUCKET", help="The store.")]
ProductArgument = Annotated[str, typer.Argument(metavar="PRODUCT", help="Full name of a Sentinel product.")]
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
    keep_snapshots: Annotated[
        int, typer.Option(min=1, help="With --once: prune the cube at the end if it holds more snapshots.")
    ] = KEEP_SNAPSHOTS,
) -> None:
    """Run all stages on this machine: products in, maps out.

    Products given here, and those dropped into STORE/landing/, are masked, put on the area's grid, merged into the
    cube, used for training and mapped. Without --once it watches STORE/landing/ until Ctrl-C. After any interruption,
    run the same line again: it continues where it stopped.

    A store on S3 (LANDSTREAM_S3, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) works as a folder does, without Kafka; its
    bucket is made if absent.

    Exit code: 0; 3 if there are failure records (`landstream failures` shows them); 1 if a stage had to stop;
    2 if the command cannot be carried out.

    Example: landstream run --area examples/areas/demo.yaml --store runs/demo --once products/*
    """
    from landstream.progress import ProgressDisplay
    from landstream.stream import Stream
    from landstream.workspace import WorkspaceError, bind, workspace
    from shared.area import AreaError, load_area
    from shared.observe.failpoint import UnknownFailpoint, check_failpoint
    from shared.observe.logs import configure_logs
    from shared.run.signals import lead_group_if_armed, stop_on_signals
    from shared.store import StoreError

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
            (folder / "log.jsonl").open("a", buffering=1) as log,
            ProgressDisplay() as progress,
        ):
            configure_logs(log)
            bind(opened, study_area)
            stream = Stream(study_area, opened, folder, stop, progress.observe, once, keep_snapshots)
            outcome = stream.run(products or [])
    except (WorkspaceError, StoreError) as error:
        fail(error)
    _report(outcome, store, folder / "log.jsonl")


def _report(outcome: RunOutcome, store: str, log_path: Path) -> None:
    for line in outcome.waiting:
        typer.echo(f"waiting: {line}", err=True)
    if outcome.stopped:
        fail(f"stopped: {outcome.stopped}; the log is {log_path}", 1)
    if outcome.failed:
        typer.echo(f"{outcome.failed} failure records: landstream failures --store {store}", err=True)
    if outcome.interrupted:
        typer.echo("interrupted: run the same line again to continue", err=True)
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
    """Show what each stage has done, still has to do and has failed to do.

    Also show how fresh the maps are and, with --kafka, how far each service lags behind its events and how many
    consumers it has. Lag counts events of all kinds on the one topic: what waits for a stage is in `waiting`.
    """
    from landstream import report

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
    _tell_left_alone(found["left_alone"])


@app.command()
def items(
    collection: Annotated[str, typer.Argument(help="Such as sentinel-2-l2a, cloud-masks, models, land-cover-maps.")],
    store: StoreOption,
    everything: Annotated[bool, typer.Option("--all", help="Also what is no longer current.")] = False,
) -> None:
    """Print the STAC items of a collection, one JSON per line."""
    from landstream import report
    from shared.run.context import Context

    folder, area = _open(store)
    for line in report.items(folder, Context.of_store(folder, area).reader.snapshot(), collection, everything):
        typer.echo(line)


@app.command()
def maps(
    store: StoreOption,
    latest: Annotated[bool, typer.Option("--latest", help="Only the current map of each sheet and week.")] = False,
) -> None:
    """Print the land-cover maps as STAC items, one JSON per line."""
    from landstream import report
    from shared.run.context import Context

    folder, area = _open(store)
    for line in report.items(folder, Context.of_store(folder, area).reader.snapshot(), "land-cover-maps", not latest):
        typer.echo(line)


@app.command()
def failures(store: StoreOption) -> None:
    """Print the failure records, one JSON per line.

    Each names the file, its fault and the remedy; `landstream requeue` orders another attempt.
    """
    from landstream import report
    from shared.run.context import Context

    folder, area = _open(store)
    reader = Context.of_store(folder, area).reader
    for line in report.failures(folder, reader.snapshot(), reader.foreign):
        typer.echo(line)
    _tell_left_alone(reader.foreign)


@app.command()
def sweep(store: StoreOption) -> None:
    """Print what is due, one JSON per line; the next `run` does it."""
    from services.sweeper.sweep import Sweep
    from shared.run.context import Context
    from shared.stage import registry

    context = Context.of_store(*_open(store))
    for name, count in Sweep(registry.all_stages(), context).look().items():
        for job in count.due:
            typer.echo(json.dumps({"stage": name, "job": job.id, "week": job.week}))


@app.command()
def withdraw(
    product: ProductArgument, store: StoreOption, reason: Annotated[str, typer.Option(help="Why, for the record.")]
) -> None:
    """Take a product out of the cube and of all maps, also before it arrives.

    The weeks that it is in are rebuilt from what is left; `landstream restore` takes it back in.

    Example: landstream withdraw S2A_MSIL2A_20180605T092031_N0500_R093_T34TGR_20230601T120000 --reason haze --store S
    """
    _say_of(product, "withdraw", store, reason)


@app.command()
def restore(
    product: ProductArgument, store: StoreOption, reason: Annotated[str, typer.Option(help="Why, for the record.")]
) -> None:
    """Take a withdrawn product back in: it is merged and mapped again.

    Example: landstream restore S2A_MSIL2A_20180605T092031_N0500_R093_T34TGR_20230601T120000 --reason mended --store S
    """
    _say_of(product, "restore", store, reason)


def _say_of(product: str, command: str, location: str, reason: str) -> None:
    from landstream.withdrawals import STATES, NothingToSay, say
    from shared.run.context import Context

    store, area = _open(location)
    try:
        key = say(store, area, Context.of_store(store, area).reader.snapshot(), product, STATES[command], reason)
    except NothingToSay as error:
        fail(error)
    typer.echo(f"{STATES[command]}: {key}; the next `run`, or the sweeper, does what follows")


@app.command()
def requeue(
    record: Annotated[str, typer.Argument(metavar="ID", help="Id of a failure record, or `all`.")], store: StoreOption
) -> None:
    """Delete a failure record, so that its job is due again."""
    from shared.items.keys import failure_key, receipt_key
    from shared.run.failure import read_records

    folder, _ = _open(store)
    foreign: dict[str, str] = {}
    chosen = [r for r in read_records(folder, foreign) if record in ("all", r["id"])]
    _tell_left_alone(foreign)
    if not chosen:
        fail(f"no failure record {record!r}; `landstream failures --store {store}` lists them")
    for failure in chosen:
        # The receipt first: if this is ended in between, the record stands and can be requeued again. A receipt
        # without its failure record would say "done" of a unit that never was.
        if failure.get("receipt"):
            folder.delete(receipt_key(failure["unit"], failure["receipt"]))
        folder.delete(failure_key(failure["stage"], failure["id"]))
        typer.echo(f"requeued {failure['stage']} {failure['id']}")


@app.command()
def reprocess(
    stage: Annotated[str, typer.Argument(metavar="STAGE", help="Name of a service.")],
    store: StoreOption,
    week: Annotated[str, typer.Option(help="One week, such as 2018-W23.")] = "all",
) -> None:
    """Order a stage's older results to be made again.

    The results of older versions of the stage are due again; those of the present version stay.
    """
    from shared.items.keys import order_key
    from shared.items.weeks import check_week
    from shared.stage.registry import NoSuchService, load

    folder, _ = _open(store)
    try:
        version = load(stage).version
        if week != "all":
            check_week(week)
    except (NoSuchService, ValueError) as error:
        fail(error)
    folder.put(order_key(stage, week, version), b"{}")
    typer.echo(f"results of {stage} older than version {version} are due again ({week})")


@app.command()
def prune(
    store: StoreOption,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it; without this nothing is.")] = False,
    keep_days: Annotated[int, typer.Option(min=0, help="Days for which a replaced snapshot stays.")] = KEEP_DAYS,
    landing: Annotated[bool, typer.Option("--landing", help="Also products in landing/ that were taken in.")] = False,
) -> None:
    """Free space: show what nothing needs any more, and with --yes remove it.

    That is: snapshots of the cube that were replaced --keep-days ago or earlier and that no model was trained on, and
    what only they hold; indexes that newer ones replaced; files that killed runs left behind a day ago or earlier. With
    --landing also what lies in landing/ and is in the store as an item with all its files: it cannot be ingested again
    then.

    A store in a folder must not be in use; one on S3 may be.

    Example: landstream prune --store runs/sibiu --landing --yes
    """
    from contextlib import nullcontext
    from datetime import UTC, datetime, timedelta

    from landstream.prune import prune as free
    from landstream.workspace import WorkspaceError, existing_workspace
    from shared.run.context import Context
    from shared.store import StoreError

    opened, area = _open(store)
    try:
        with existing_workspace(store) if yes and not opened.remote else nullcontext():
            context = Context.of_store(opened, area)
            typer.echo(f"{'':<24}{'objects':>12}{'bytes':>20}")
            keep = timedelta(days=keep_days)
            for freed in free(context, datetime.now(UTC), keep, landing=landing, rehearse=not yes):
                typer.echo(f"{freed.what:<24}{freed.objects:>12,}{freed.size:>20,}")
    except (WorkspaceError, StoreError) as error:
        fail(error)
    if not yes:
        typer.echo("nothing was removed; --yes removes it")


@app.command()
def migrate(store: StoreOption) -> None:
    """Carry a store that an older version made over to the present format.

    Scenes, masks and the cube stay as they are; the next `run` makes labels, training and maps again. It may be
    ended at any time and is then to be run again. Stop all services of a store on S3 before, and use the keys of its
    administrator. Nothing is done where the store is kept in the present format.

    Example: landstream migrate --store runs/sibiu
    """
    from landstream.migrate import migrate as carry_over
    from landstream.workspace import WorkspaceError, existing_workspace
    from shared.store import StoreError

    try:
        with existing_workspace(store) as (opened, folder):
            carry_over(opened, folder / "work", typer.echo)
    except (WorkspaceError, StoreError) as error:
        fail(error)


@app.command()
def digest(
    store: StoreOption,
    content: Annotated[
        bool, typer.Option("--content", help="Only the cube's values and the maps' pixels, whatever they are called.")
    ] = False,
) -> None:
    """Print what is current, as sorted lines of sha256 and key.

    Two runs over the same products give the same text, whatever happened to them on the way.
    """
    from landstream.digest import content_lines, digest_lines
    from shared.store import ChecksumMismatch

    try:
        for line in (content_lines if content else digest_lines)(*_open(store)):
            typer.echo(line)
    except ChecksumMismatch as error:
        fail(error, 1)


@app.command()
def failpoints(as_json: JsonOption = False) -> None:
    """Print the points at which a test can kill a run.

    LANDSTREAM_FAILPOINT=NAME[:K] kills it the K-th time (the first by default) that it reaches NAME.
    """
    from shared.observe.failpoint import FAILPOINTS

    for name, (hits, where) in FAILPOINTS.items():
        typer.echo(json.dumps({"name": name, "hits": hits, "where": where}) if as_json else name)


app.command()(distributed.provision)
app.command()(distributed.up)
app.command()(distributed.deliver)


def _tell_left_alone(foreign: Mapping[str, str]) -> None:
    for key, fault in foreign.items():
        typer.echo(f"left alone: {key}: {fault}", err=True)


def _open(store: str) -> tuple[Store, Area]:
    from landstream.workspace import WorkspaceError, open_bound

    try:
        return open_bound(store)
    except WorkspaceError as error:
        fail(error)


def main() -> None:
    """Run the command line; what a person can put right is one line on standard error and exit code 2.

    That is a store or Kafka that went away or refuses, and a library of an extra that is not installed.
    """
    try:
        app()
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if not missing or (Path(__file__).parent.parent / missing).is_dir():
            raise  # a module of our own
        typer.echo(f"landstream: {missing} is not installed; install landstream[all], or the extra of this", err=True)
        sys.exit(2)
    except Exception as error:  # these classes are imported only when something was raised
        from shared.bus import BusError
        from shared.store import StoreError

        if not isinstance(error, StoreError | BusError):
            raise
        typer.echo(f"landstream: {error}", err=True)
        sys.exit(2)
