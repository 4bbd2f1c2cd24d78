"""The command `landstream export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from landstream.commands.opening import fail

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def export(
    store: Annotated[str, typer.Option("--store", metavar="DIR|s3://BUCKET", help="The store.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the files; made if absent.")],
    week: Annotated[
        list[str] | None, typer.Option("--week", metavar="W", help="A week, such as 2018-W26; may be repeated.")
    ] = None,
    latest: Annotated[bool, typer.Option("--latest", help="The newest week that has a map.")] = False,
    applicability: Annotated[
        bool,
        typer.Option("--applicability", help="Write where the model applies, too: how unlike its training ground is."),
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files of these names.")] = False,
) -> None:
    """Write the maps of a week as one mosaic of the area, for QGIS and other programs.

    For each week: land cover, confidence and true colour as cloud-optimised GeoTIFFs, clipped to the area of interest,
    with class names (.aux.xml) and styles (.qml) beside them, and a STAC item; for each year: a VRT with a band for
    each week that lies in the folder. All links are relative: the folder may be moved. With --applicability a further
    raster says where the model applies, in percent of the threshold: up to 100 it does.

    Example: landstream export --latest --out maps --store stores/sibiu
    """
    from landstream.export.weeks import NoSuchWeek, choose_weeks
    from landstream.workspace import WorkspaceError, open_bound
    from shared.run.context import Context

    if bool(week) == latest:
        fail("say which week: --week 2018-W26 or --latest")
    try:
        opened, area = open_bound(store)
        context = Context.of_store(opened, area)
        catalogue = context.reader.snapshot()
        weeks = choose_weeks(catalogue, week or [])
    except (WorkspaceError, NoSuchWeek) as error:
        fail(error)

    from landstream.export.applicability import NotKnown, applicability_of
    from landstream.export.write import FileExists, export_week, write_catalogue

    try:
        for chosen, maps in weeks.items():
            known = applicability_of(catalogue, maps, opened) if applicability else None
            for path in export_week(context, chosen, maps, out, overwrite=overwrite, known=known):
                typer.echo(path)
        for path in write_catalogue(area, out):
            typer.echo(path)
    except (FileExists, NotKnown) as error:
        fail(error)
    except OSError as error:
        fail(f"{error.filename or out}: {error.strerror or error}; choose another --out, or free space there")
