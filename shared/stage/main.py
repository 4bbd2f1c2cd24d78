"""One service alone: `python -m services.NAME --store s3://BUCKET --kafka HOST:PORT`, or over a folder, once."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from shared.area import Area
from shared.bus import BusError
from shared.observe.failpoint import UnknownFailpoint
from shared.observe.logs import configure_logs
from shared.stage import registry
from shared.stage.due import survey
from shared.stage.runner import Runner, StageStopped
from shared.stage.service import ServiceSettings, run_service
from shared.stage.surroundings import Surroundings
from shared.store import FolderStore, StoreError


def main(name: str) -> None:
    """Run the service `name`: for ever over S3 and Kafka; over a folder, everything that is due for it now."""
    stage = registry.load(name)
    settings, kafka = parse_arguments(f"services.{name}", f"{stage.name}: {', '.join(stage.consumes)} to "
                                      f"{', '.join(stage.publishes)}")  # fmt: skip
    if "://" not in settings.store:
        return _do_what_is_due(name, Path(settings.store))

    def work(around: Surroundings) -> None:
        Runner(stage, registry.module_of(name), around).run()

    or_exit(lambda: run_service(name, settings, kafka, work))


def parse_arguments(module: str, description: str) -> tuple[ServiceSettings, str]:
    """(settings, brokers) of a process's command line; what it leaves out comes from the environment."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=description,
        epilog="The store's address and keys: LANDSTREAM_S3, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY. Every other "
        "setting is a variable LANDSTREAM_<NAME>; see the settings classes.",
    )
    parser.add_argument("--store", default="", metavar="URL", help="s3://BUCKET or a folder (LANDSTREAM_STORE)")
    parser.add_argument("--kafka", default="", metavar="HOST:PORT", help="Kafka's brokers (LANDSTREAM_KAFKA)")
    given = parser.parse_args()
    settings = ServiceSettings(**({"store": given.store} if given.store else {}))
    if not settings.store:
        parser.error("no store given: use --store s3://BUCKET or LANDSTREAM_STORE")
    return settings, given.kafka


def or_exit(run: Callable[[], None]) -> None:
    """Run, and turn an error that ends the process into one line and exit code 1."""
    try:
        run()
    except (StageStopped, BusError, StoreError, UnknownFailpoint, ValueError) as error:
        sys.exit(f"landstream: {error}")


def _do_what_is_due(name: str, root: Path) -> None:
    if not (root / "area.json").is_file():
        sys.exit(f"landstream: {root}: no store here; `landstream run` makes one")
    configure_logs(sys.stderr)
    stage, store = registry.load(name), FolderStore(root)
    with store.exclusive():
        area = Area.model_validate(json.loads(store.get("area.json")))
        around = Surroundings.of_store(store, area)
        runner = Runner(stage, registry.module_of(name), around)
        try:
            for source, _ in survey(stage, around.reader.snapshot(), area, runner.settings, around.units()).due:
                runner.work_on(source)
        finally:
            runner.child.close()
