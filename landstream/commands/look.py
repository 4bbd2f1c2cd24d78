"""What a store holds, has done and has still to do: `status`, `maps`, `items`, `sweep`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from landstream.commands.opening import opened, tell_left_alone
from landstream.commands.options import JsonOption, StoreOption


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

    found = report.status(*opened(store), kafka if "://" in store else "")
    if as_json:
        typer.echo(json.dumps(found))
        return
    columns = ["done", "waiting", "failed", *(["lag", "consumers"] if kafka and "://" in store else [])]
    typer.echo(f"{'stage':<14}" + "".join(f"{c:>11}" for c in columns))
    for name, counts in found["stages"].items():
        typer.echo(f"{name:<14}" + "".join(f"{counts[c]:>11}" for c in columns))
    fresh = found["freshness_s"]
    typer.echo(f"from scene to map: {'no map yet' if fresh is None else f'{fresh:.0f} s (median of the last 100)'}")
    tell_left_alone(found["left_alone"])


def maps(
    store: StoreOption,
    latest: Annotated[bool, typer.Option("--latest", help="Only the current map of each sheet and week.")] = False,
) -> None:
    """Print the land-cover maps as STAC items, one JSON per line."""
    from landstream import report
    from shared.run.context import Context

    folder, area = opened(store)
    for line in report.items(folder, Context.of_store(folder, area).reader.snapshot(), "land-cover-maps", not latest):
        typer.echo(line)


def items(
    collection: Annotated[str, typer.Argument(help="Such as sentinel-2-l2a, cloud-masks, models, land-cover-maps.")],
    store: StoreOption,
    everything: Annotated[bool, typer.Option("--all", help="Also what is no longer current.")] = False,
) -> None:
    """Print the STAC items of a collection, one JSON per line."""
    from landstream import report
    from shared.run.context import Context

    folder, area = opened(store)
    for line in report.items(folder, Context.of_store(folder, area).reader.snapshot(), collection, everything):
        typer.echo(line)


def sweep(store: StoreOption) -> None:
    """Print what is due, one JSON per line; the next `run` does it."""
    from services.sweeper.sweep import Sweep
    from shared.run.context import Context
    from shared.stage import registry

    context = Context.of_store(*opened(store))
    for name, count in Sweep(registry.all_stages(), context).look().items():
        for job in count.due:
            typer.echo(json.dumps({"stage": name, "job": job.id, "week": job.week}))
