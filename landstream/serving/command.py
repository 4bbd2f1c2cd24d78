"""The command `landstream serve`."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import Annotated

import typer

from landstream.commands.opening import fail

app = typer.Typer(add_completion=False, rich_markup_mode=None)

LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 8500
"""TensorFlow Serving's own for gRPC."""

LOOK_S = 0.5


@app.command()
def serve(
    store: Annotated[str, typer.Option("--store", metavar="DIR|s3://BUCKET", help="The store.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the loopback; 0 = any free one.")] = DEFAULT_PORT,
) -> None:
    """Serve a store's champion over gRPC on this machine, until Ctrl-C.

    It speaks TensorFlow Serving's protocol (Predict, GetModelMetadata, GetModelStatus), on the loopback alone. A model
    that is promoted meanwhile is served after the next start.

    Example: landstream serve --store stores/sibiu --port 8500
    """
    from landstream.serving.champion import NoModel, serve_champion
    from landstream.workspace import WorkspaceError, open_bound
    from shared.run.context import Context
    from shared.run.signals import stop_on_signals

    stop = stop_on_signals()
    try:
        context = Context.of_store(*open_bound(store))
    except WorkspaceError as error:
        fail(error)
    if taken := why_taken(port):
        fail(taken)
    typer.echo("starting; TensorFlow takes some seconds", err=True)
    try:
        with serve_champion(context, port) as served:
            facts = served.facts
            typer.echo(f"address  {served.address}")
            typer.echo(f"model    {facts.model_name}, version {facts.model_version}")
            typer.echo(f"item     {served.model.id}")
            while served.server.running and not stop.wait(LOOK_S):
                pass
            ended_by_itself = not stop.is_set()
    except NoModel as error:
        fail(error)
    except RuntimeError as error:
        fail(error, 1)
    if ended_by_itself:
        fail("the model server ended by itself; its message is above", 1)


def why_taken(port: int) -> str:
    """Return why nobody else can listen on a port of the loopback, and what to do; empty where one can."""
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gRPC does: a server that ended just now
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            return f"{LOOPBACK}:{port}: {error.strerror}; give another --port, or --port 0 for any free one"
    return ""
