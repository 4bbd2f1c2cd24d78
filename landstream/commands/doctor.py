"""Is everything there that Landstream needs: `doctor`."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from landstream.commands.options import JsonOption

FAILED_EXIT = 1


def doctor(
    store: Annotated[str, typer.Option("--store", metavar="DIR|s3://BUCKET", help="Look at this store, too.")] = "",
    kafka: Annotated[
        str, typer.Option(metavar="HOST:PORT", envvar="LANDSTREAM_KAFKA", help="Look at Kafka, too.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Check this machine, a store and Kafka, and say what to do.

    A line for each: Python, memory, GPU, the libraries of each extra, free disk; with --store whether it answers, its
    format, whether it can be written to, how far its clock is from this one; with --kafka whether it answers. Each is
    `ok`, `warn` (something is not possible, or not for long) or `fail`.

    Exit code: 0; 1 if anything fails.

    Example: landstream doctor --store stores/sibiu
    """
    from landstream.doctor.finding import line
    from landstream.doctor.machine import look_at_machine
    from landstream.doctor.servers import look_at_disk, look_at_kafka, look_at_store

    findings = [*look_at_machine()]
    if "://" in store or not store:
        findings.append(look_at_disk(Path(tempfile.gettempdir())))
    findings += look_at_store(store) if store else ()
    findings += [look_at_kafka(kafka)] if kafka else ()
    for finding in findings:
        typer.echo(json.dumps(asdict(finding)) if as_json else line(finding))
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(FAILED_EXIT)
