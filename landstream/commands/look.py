"""What a store holds, has done and has still to do: `status`, `maps`, `items`, `sweep`."""

from __future__ import annotations

import gc
import json
from functools import partial
from typing import Annotated

import typer

from landstream.commands.opening import fail, opened, tell_left_alone
from landstream.commands.options import JsonOption, StoreOption
from landstream.commands.showing import show

GC_THRESHOLD = 50_000


def status(
    store: StoreOption,
    kafka: Annotated[
        str, typer.Option(metavar="HOST:PORT", envvar="LANDSTREAM_KAFKA", help="Also show lag and consumers.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Show what is done, waiting and failed, and the result.

    For each stage: what it has done, still has to do and has failed to do. Below: how fresh the maps are; what of a
    catalogue did not come; the champion
    with its card and its scores on the hold-out; of the newest week with maps the sheet that sees most, its share
    observed, quicklook and GeoTIFF. With --kafka also how far each service lags behind its events, and how many
    consumers it has: lag counts events of all kinds on the one topic, what waits for a stage is in `waiting`.

    Example: landstream status --store stores/sibiu
    """
    from landstream import report
    from landstream.result import lines

    # What is read stays: to search it for cycles every 700 objects costs a sixth of a look at a large store.
    gc.set_threshold(GC_THRESHOLD)
    with_kafka = bool(kafka) and "://" in store
    found = report.status(*opened(store), kafka if with_kafka else "")
    if as_json:
        typer.echo(json.dumps({**found, "result": found["result"].json()}))
        return
    columns = ["done", "waiting", "failed", *(["lag", "consumers"] if with_kafka else [])]
    typer.echo(f"{'stage':<14}" + "".join(f"{c:>11}" for c in columns))
    for name, counts in found["stages"].items():
        typer.echo(f"{name:<14}" + "".join(f"{counts[c]:>11}" for c in columns))
    fresh = found["freshness_s"]
    typer.echo(f"from scene to map: {'no map yet' if fresh is None else f'{fresh:.0f} s (median of the last 100)'}")
    if found["arrivals"]:
        typer.echo(found["arrivals"])
    for line in lines(found["result"]):
        typer.echo(line)
    tell_left_alone(found["left_alone"])


def maps(
    store: StoreOption,
    latest: Annotated[bool, typer.Option("--latest", help="Only the current map of each sheet and week.")] = False,
    week: Annotated[
        list[str] | None, typer.Option("--week", metavar="W", help="Only this week, such as 2018-W26; may be repeated.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the land-cover maps and where they lie.

    On a terminal a table: week, sheet, share of the sheet that was observed clear, path of the GeoTIFF. Piped, or with
    --json, one STAC item (JSON) a line; other files, such as quicklook.png, are its assets.

    Example: landstream maps --latest --store stores/sibiu
    """
    from landstream import report
    from landstream.export.weeks import weeks_there_are
    from shared.items.collections import MAPS
    from shared.run.context import Context

    folder, area = opened(store)
    catalogue = Context.of_store(folder, area).reader.snapshot()
    known = catalogue.weeks(MAPS)
    if missing := [w for w in week or [] if w not in known]:
        fail(f"{missing[0]}: no map of this week; {weeks_there_are(known)}")
    found = report.items(catalogue, MAPS, not latest, week or [])
    line, row = partial(report.item_line, folder), partial(report.map_row, folder)
    show(found, as_json, line, report.MAP_COLUMNS, row, "no map yet; `landstream status` says what is missing")


def items(
    collection: Annotated[str, typer.Argument(help="Such as sentinel-2-l2a, cloud-masks, models, land-cover-maps.")],
    store: StoreOption,
    everything: Annotated[bool, typer.Option("--all", help="Also what is no longer current.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the STAC items of a collection.

    On a terminal a table: week, time, id, path of the item. Piped, or with --json, one STAC item (JSON) a line.

    Example: landstream items cloud-masks --store stores/sibiu
    """
    from landstream import report
    from shared.run.context import Context
    from shared.stage import registry

    folder, area = opened(store)
    catalogue = Context.of_store(folder, area).reader.snapshot()
    known = sorted({*catalogue.collections, *(c.name for c in registry.collections())})
    if collection not in known:
        fail(f"{collection!r} is not a collection; there are {', '.join(known)}")
    found = report.items(catalogue, collection, everything)
    line, row = partial(report.item_line, folder), partial(report.item_row, folder)
    show(found, as_json, line, report.ITEM_COLUMNS, row, f"no items of {collection}")


def sweep(store: StoreOption, as_json: JsonOption = False) -> None:
    """Show what is due; the next `run` does it.

    On a terminal a table: stage, week, product. Piped, or with --json, one JSON a line: stage, id of the job, week.

    Example: landstream sweep --store stores/sibiu
    """
    from landstream import report
    from services.sweeper.sweep import Sweep
    from shared.run.context import Context
    from shared.stage import registry

    counts = Sweep(registry.all_stages(), Context.of_store(*opened(store))).look()
    due = [job for count in counts.values() for job in count.due]
    show(due, as_json, report.due_line, report.DUE_COLUMNS, report.due_row, "nothing is due")
