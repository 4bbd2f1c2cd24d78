"""The way of a scene: `trace`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from landstream.commands.opening import fail, opened
from landstream.commands.options import JsonOption, StoreOption

NOT_FOUND_EXIT = 1


def trace(
    subject: Annotated[str, typer.Argument(metavar="PRODUCT|TILE|WEEK", help="Such as T34TGR or 2018-W23.")],
    store: StoreOption,
    as_json: JsonOption = False,
) -> None:
    """Tell the way of a scene: why it is, or is not, in a map.

    For each scene of a product's name, an MGRS tile or a week: when it arrived, what each stage made of it, in which
    maps it is and by which model; or where it failed and why, what it waits for, what superseded it, why it was
    withdrawn. What lies in landing/ and is not registered yet is told, too. With --json one JSON a line.

    Exit code: 0; 1 if there is no such scene; 2 if the command cannot be carried out.

    Example: landstream trace T34TGR --store stores/sibiu
    """
    from landstream.arrivals.follow import why_not_fetched
    from landstream.trace.story import lines
    from landstream.trace.subject import NothingToTrace, read_subject
    from landstream.trace.tracer import Tracer
    from shared.run.context import Context

    try:
        asked = read_subject(subject)
    except NothingToTrace as error:
        fail(error)
    found = False
    context = Context.of_store(*opened(store))
    tracer = Tracer(context)
    for story in tracer.stories(asked):
        found = True
        for line in [json.dumps(story.json())] if as_json else lines(story):
            typer.echo(line)
    if not found and (why := why_not_fetched(context, asked.week, asked.product)):
        typer.echo(json.dumps({"product": asked.product, "text": why}) if as_json else f"{asked.product}\n  {why}")
    elif not found:
        fail(tracer.nothing(asked), NOT_FOUND_EXIT)
