"""The command `landstream predict`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landstream.commands.opening import fail

if TYPE_CHECKING:
    from services.inference.client import Client
    from shared.area import Area

app = typer.Typer(add_completion=False, rich_markup_mode=None)

OVERLAP_PX = 64


@app.command()
def predict(
    source: Annotated[Path, typer.Argument(metavar="IN.tif", help="Ten bands of Sentinel-2 at 10 m.")],
    target: Annotated[Path, typer.Argument(metavar="OUT.tif", help="Land cover; confidence and styles lie beside it.")],
    store: Annotated[
        str, typer.Option("--store", metavar="DIR|s3://BUCKET", help="Take this store's champion and its class names.")
    ] = "",
    server: Annotated[
        str, typer.Option("--server", metavar="HOST:PORT", help="Ask this model server instead of an embedded one.")
    ] = "",
    model: Annotated[
        str, typer.Option("--model", metavar="NAME", help="With --server and no --store: the model's name there.")
    ] = "",
    area: Annotated[
        Path | None, typer.Option("--area", metavar="AREA.yaml", help="With --server and no --store: names of classes.")
    ] = None,
    bands: Annotated[
        str, typer.Option("--bands", metavar="B02,B03,...", help="Names of the file's bands, where it has none.")
    ] = "",
    scale: Annotated[float | None, typer.Option(help="reflectance = number * SCALE + OFFSET")] = None,
    offset: Annotated[float | None, typer.Option(help="See --scale.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files of these names.")] = False,
) -> None:
    """Map a GeoTIFF of your own with a trained model.

    IN.tif holds B02 B03 B04 B08 B05 B06 B07 B8A B11 B12 at 10 m, or any bands that it or --bands names. What its
    numbers mean is told by --scale and --offset or by its own tags, or it is reflectance in floating point; anything
    else is refused.

    Example: landstream predict scene.tif land_cover.tif --scale 0.0001 --offset -0.1 --store stores/sibiu
    """
    from landstream.predict.encoding import PredictError
    from landstream.predict.predict import files_of

    if not (store or server):
        fail("say who predicts: --store DIR, or --server HOST:PORT")
    there = [path for path in files_of(target) if path.exists()]
    if there and not overwrite:
        fail(f"{there[0]}: exists; --overwrite replaces it, or give another name")
    if not target.parent.is_dir():
        fail(f"{target.parent}: no such folder; make it, or give another name")

    try:
        _predict(source, target, store, server, model, area, [b for b in bands.split(",") if b], scale, offset)
    except PredictError as error:
        fail(error)
    except OSError as error:
        fail(f"{error.filename or target}: {error.strerror or error}; give another name, or free space there")


def _predict(
    source: Path,
    target: Path,
    store: str,
    server: str,
    model: str,
    area: Path | None,
    bands: list[str],
    scale: float | None,
    offset: float | None,
) -> None:
    import grpc

    from landstream.predict.encoding import PredictError
    from landstream.predict.predict import predict_raster
    from landstream.predict.raster import open_raster
    from shared.items.classes import NOT_OBSERVED, classes_of

    with open_raster(source, bands, scale, offset) as cube, _connect(store, server, model, area) as (client, known):
        classes = classes_of(known.labels, NOT_OBSERVED) if known else ()
        attribution = known.labels.attribution if known else ""
        try:
            options = {"attribution": attribution, "progress": _show}
            for path in predict_raster(cube, client, target, classes, OVERLAP_PX, **options):  # type: ignore[arg-type]
                typer.echo(path)
        except grpc.RpcError as error:
            raise PredictError(_spell(error, server or "the embedded server")) from error


@contextmanager
def _connect(store: str, server: str, model: str, area: Path | None) -> Iterator[tuple[Client, Area | None]]:
    """Connect to the model, and say whose classes it tells."""
    from contextlib import closing

    from landstream.predict.encoding import PredictError
    from landstream.predict.predict import check_inputs
    from landstream.serving.champion import DEADLINE_S, MAX_MESSAGE_BYTES, NoModel, champion_of, serve_champion
    from landstream.workspace import WorkspaceError, open_bound
    from services.inference.client import Client
    from shared.area import AreaError, load_area
    from shared.items.properties import ModelFacts
    from shared.run.context import Context

    try:
        if not store:
            known = load_area(area) if area else None
            name = model or (known.name if known else "")
            if not name:
                raise PredictError("say which model of the server: --model NAME, or --area AREA.yaml")
            with closing(Client(server, name, None, DEADLINE_S, MAX_MESSAGE_BYTES)) as client:
                yield client, known
            return
        context = Context.of_store(*open_bound(store))
        if server:
            check_inputs(champion_of(context))
            facts = ModelFacts.of(champion_of(context))
            chosen = Client(server, facts.model_name, facts.model_version, DEADLINE_S, MAX_MESSAGE_BYTES)
            with closing(chosen) as client:
                yield client, context.area
            return
        if sys.stderr.isatty():
            typer.echo("starting; TensorFlow takes some seconds", err=True)
        check_inputs(champion_of(context))
        with serve_champion(context) as served:
            facts = served.facts
            own = Client(served.address, facts.model_name, facts.model_version, DEADLINE_S, MAX_MESSAGE_BYTES)
            with closing(own) as client:
                yield client, context.area
    except (WorkspaceError, AreaError, NoModel) as error:
        raise PredictError(str(error)) from error


def _spell(error: object, address: str) -> str:
    """Return a server's refusal in one line, with the remedy."""
    code, details = str(error.code().name), " ".join(str(error.details()).split())[:300]  # type: ignore[attr-defined]
    remedy = {
        "UNAVAILABLE": "see that it runs and that the port is that of gRPC",
        "NOT_FOUND": "name a model that it serves with --model, or --store of the area that it serves",
        "DEADLINE_EXCEEDED": "it is busy; try again",
        "INVALID_ARGUMENT": "see with `landstream model show` whether its model reads more than ten bands",
    }.get(code, "see its log")
    return f"{address}: {code}: {details}; {remedy}"


def _show(done: int, total: int) -> None:
    """Show progress where people look."""
    if sys.stderr.isatty():
        typer.echo(f"\r{100 * done // total} % ", err=True, nl=done == total)
