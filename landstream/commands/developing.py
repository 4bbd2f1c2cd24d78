"""For those who change Landstream: `failpoints`."""

from __future__ import annotations

import json

import typer

from landstream.commands.options import JsonOption


def failpoints(as_json: JsonOption = False) -> None:
    """Print the points at which a test can kill a run.

    LANDSTREAM_FAILPOINT=NAME[:K] kills it the K-th time (the first by default) that it reaches NAME.

    Example: LANDSTREAM_FAILPOINT=$(landstream failpoints | head -1) landstream run --area A.yaml --store S --once
    """
    from shared.observe.failpoint import FAILPOINTS

    for name, (hits, where) in FAILPOINTS.items():
        typer.echo(json.dumps({"name": name, "hits": hits, "where": where}) if as_json else name)
