"""All that is due for one service, then the end, as a Job of Kubernetes runs it: `python -m landstream.drain NAME`."""

from __future__ import annotations

import argparse
import sys

from shared.stage import registry
from shared.stage.child import Stopped
from shared.stage.due import survey
from shared.stage.main import or_exit
from shared.stage.runner import Runner
from shared.stage.service import ServiceSettings, run_service
from shared.stage.surroundings import Surroundings


def drain(name: str, around: Surroundings) -> None:
    """Do every job that is due for a service.

    Args:
        name: the service.
        around: what it works in.

    Raises:
        Stopped: told to stop before the end; what is left stays due.
    """
    stage = registry.load(name)
    runner = Runner(stage, registry.module_of(name), around)
    try:
        for source, _ in survey(stage, around.reader.snapshot(), around.area, runner.settings, around.units()).due:
            runner.work_on(source)
    finally:
        runner.child.close()


def main() -> None:
    """Run from the command line; every setting comes from the environment."""
    parser = argparse.ArgumentParser(prog="python -m landstream.drain", description=__doc__)
    parser.add_argument("name", choices=registry.names(), metavar="NAME", help="the service")
    name = parser.parse_args().name
    try:
        or_exit(lambda: run_service(name, ServiceSettings(), "", lambda around: drain(name, around)))
    except Stopped:
        sys.exit(f"landstream: {name}: stopped before its job was done; it stays due")


if __name__ == "__main__":
    main()
