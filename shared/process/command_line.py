"""One service alone: `python -m services.NAME --store s3://BUCKET --kafka HOST:PORT`; `--once` does what is due."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from shared.bus import BusError
from shared.observe.failpoint import UnknownFailpoint
from shared.observe.logs import configure_logs
from shared.process.service import ServiceSettings, run_service
from shared.run.child import Stopped
from shared.run.context import Context
from shared.run.runner import Runner, StageStopped
from shared.stage import registry
from shared.stage.declare import AnyStage, published
from shared.stage.due import LANDING, JobSource, State, planned, sources_of
from shared.store import AREA_KEY, FolderStore, StoreError, read_area


def main(name: str) -> None:
    """Run the service `name`: for ever over S3 and Kafka, or once; over a folder always once."""
    stage = registry.load(name)
    parser = make_parser(f"services.{name}", f"{name}: {', '.join(stage.consumes)} to {', '.join(published(stage))}")
    parser.add_argument("--once", action="store_true", help="do what is due now, then end; always so in a folder")
    given = parser.parse_args()
    settings = settings_of(parser, given)
    if "://" not in settings.store:
        return _in_a_folder(name, Path(settings.store))

    def work(context: Context) -> None:
        if given.once:
            do_what_is_due(name, context)
        else:
            Runner(stage, registry.module_of(name), context).run()

    or_exit(lambda: run_service(name, settings, given.kafka, work))


def make_parser(module: str, description: str) -> argparse.ArgumentParser:
    """Return the command line that every process has."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=description,
        epilog="The store's address and keys: LANDSTREAM_S3, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY. Every other "
        "setting is a variable too: docs/operations.md lists them.",
    )
    parser.add_argument("--store", default="", metavar="URL", help="s3://BUCKET or a folder (LANDSTREAM_STORE)")
    parser.add_argument("--kafka", default="", metavar="HOST:PORT", help="Kafka's brokers (LANDSTREAM_KAFKA)")
    return parser


def settings_of(parser: argparse.ArgumentParser, given: argparse.Namespace) -> ServiceSettings:
    """Return the settings of a command line; what it leaves out comes from the environment."""
    settings = ServiceSettings(**({"store": given.store} if given.store else {}))
    if not settings.store:
        parser.error("no store given: use --store s3://BUCKET or LANDSTREAM_STORE")
    return settings


def or_exit(run: Callable[[], None]) -> None:
    """Run, and turn an error that ends the process into one line and exit code 1."""
    try:
        run()
    except Stopped:
        sys.exit("landstream: stopped before the work was done; what is left stays due")
    except (StageStopped, BusError, StoreError, UnknownFailpoint, ValueError) as error:
        sys.exit(f"landstream: {error}")


def do_what_is_due(name: str, context: Context) -> None:
    """Do every job that is due for a service now.

    Args:
        name: the service.
        context: what it works in.

    Raises:
        Stopped: told to stop before the end; what is left stays due.
    """
    stage = registry.load(name)
    runner = Runner(stage, registry.module_of(name), context)
    try:
        for source in due_sources(stage, context):
            runner.work_on(source)
    finally:
        runner.child.close()


def due_sources(stage: AnyStage, context: Context) -> Iterator[JobSource]:
    """Yield what leads to a due job of a stage, week after week, deliveries first."""
    catalogue, settings = context.reader.snapshot(), stage.settings()
    if LANDING in stage.consumes:
        yield from (j.source for j in planned(stage, context.units(), catalogue, settings) if j.state is State.DUE)
    for week in sorted({w for c in stage.consumes for w in catalogue.weeks(c)}):
        jobs = planned(stage, sources_of(stage, catalogue, week), catalogue, settings)
        yield from [j.source for j in jobs if j.state is State.DUE]
        catalogue.let_go(week)


def _in_a_folder(name: str, root: Path) -> None:
    if not (root / AREA_KEY).is_file():
        sys.exit(f"landstream: {root}: no store here; `landstream run` makes one")
    configure_logs(sys.stderr)
    store = FolderStore(root)
    with store.exclusive():
        area = read_area(store)
        do_what_is_due(name, Context.of_store(store, area))
