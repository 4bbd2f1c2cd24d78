"""`landstream area`: write an area file, and say what it would make of products."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import shapely
import typer
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from landstream.aoi import read_aoi
from landstream.area_size import Size, hours, size_of
from landstream.corine_extent import share_with_corine
from landstream.verdict import verdict_of
from shared.area import Area, AreaError, load_area
from shared.area.area import MAX_FILE_BYTES, SENSORS, default_grid
from shared.area.scheme import PRESETS
from shared.geo import Grid
from shared.geo.mgrs import tiles_over
from shared.sizes import human

app = typer.Typer(
    name="area",
    help="Write and check area files.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)

SCHEMA: Final = "area.schema.json"

_TEMPLATE = """\
# yaml-language-server: $schema={schema}
# A study area of Landstream. `landstream area check {file}` says what it would use; docs/area.md explains every key.
name: {name}

# West, south, east, north in degrees, or a GeoJSON polygon.
aoi: {aoi}

# The cube's grid: {rows} x {cols} tiles of 2,560 m in the UTM zone with most of the area; origin a multiple of 60 m.
# Sentinel-2 tiles needed: {mgrs}
# A year of scenes takes up to {disk} with all copies, and {hours} of computing on 2 cores.
grid: {{epsg: {epsg}, origin_x_m: {x}, origin_y_m: {y}, rows: {rows}, cols: {cols}}}

# Processing level that is put into the cube: l2a or l1c.
level: l2a

# Sensors whose scenes are processed: s2 (Sentinel-2 MSI), olci (Sentinel-3 OLCI). Maps are drawn from s2.
sensors: [{sensors}]

# Label scheme: {presets},
# or a mapping of your own, here or in a file (`labels: mapping.yaml`): scheme, attribute, classes with code, name,
# color and sources; examples/areas/brandenburg.yaml has one.
labels: {labels}
# Reference year of the labels; the delivery nearest to it is burned.
label_year: {year}

# ISO years of scenes that are accepted.
years: [{year}]

# All below are the defaults; docs/area.md says what each means.
# When a watching run trains by itself: a first model once it has been quiet for a minute; a further one when enough is
# new and a day has passed, or when labels changed. `run --once` trains at its end, `landstream train` orders a model.
train: {{first: true, quiet_s: 60, every_tile_weeks: 200, grow_percent: 10, at_least_hours: 24, labels_changed: true}}
# How it trains.
training:
  architecture: committee      # a vote of the members; or one network alone: unet, segnet, resnet, multiscale
  members: [unet, multiscale]
  filters: 24                  # channels of a network's first level: fewer are faster
  epochs: 24
  steps: 36                    # updates in an epoch, each of `batch` patches
  batch: 4
  patch_px: 64
  learning_rate: 0.003
  folds: 5                     # networks trained beside the hold-out, for the cross-validated mean
  seed: 0
  # More keys have a default: losses, augmentation, validation, splits, weeks, inputs, history; `preset: thesis-2018`.
# Which model draws the maps: better, what beats the champion; always, the one of what the cube holds; manual, people's.
promote: better
remap: 8          # weeks (newest first) that a new champion maps again
canary_percent: 0  # percent of the sheets that the challenger maps beside the champion, for looking only
applicability: false  # whether maps carry a layer of where their model applies
source: null  # {{kind: cdse}}: products come by themselves; docs/area.md names all sources and their keys
patience_s: 3600  # seconds that an incomplete product may wait in landing/
thin_cirrus_is_cloud: true
toolbox_baselines: below  # where products of baselines 99.xx stand: below each official one of their scene, or above
mask_other_level: false  # whether scenes of the level that is not tiled get a cloud mask, too
masks: [own]  # cloud masks, the preferred first: own, fmask, maja, omnicloudmask, s2cloudless, or one with its values
"""


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Lower case letters, digits and dashes.")],
    aoi: Annotated[
        str,
        typer.Option(metavar="W,S,E,N|WKT|FILE", help="Degrees, WKT, or a GeoJSON, WKT, GeoPackage or Shapefile."),
    ],
    year: Annotated[int, typer.Option(help="Year of scenes and labels.")],
    labels: Annotated[str, typer.Option(help=f"Label scheme: {', '.join(PRESETS)}.")] = "clc-level1",
    layer: Annotated[str | None, typer.Option(help="Layer of an AOI file that has several.")] = None,
    sensors: Annotated[str, typer.Option(help="Sensors to process.")] = ",".join(SENSORS),
    out: Annotated[Path | None, typer.Option(help="File to write; NAME.yaml by default.")] = None,
) -> None:
    """Write a commented area file, and say what a year of it would take.

    Example: landstream area new sibiu --aoi 23.9,45.7,24.3,45.9 --year 2018 --labels clc-level2
    """
    path = out or Path(f"{name}.yaml")
    try:
        outline = read_aoi(aoi, layer)
        chosen = tuple(sensor.strip() for sensor in sensors.split(","))
        grid = default_grid(outline.polygon)
        size = size_of(outline.polygon, grid, chosen)
        _write(path, describe(path, name, outline.polygon, grid, year, labels, chosen, size))
    except (AreaError, ValueError, OSError) as error:
        typer.echo(f"landstream: {error}", err=True)
        raise typer.Exit(2) from error
    typer.echo(f"{path}: {grid.rows} x {grid.cols} tiles in EPSG:{grid.epsg}")
    for line in size_lines(size):
        typer.echo(line)
    for note in outline.notes:
        typer.echo(f"note: {note}", err=True)
    for warning in warnings_of(outline.polygon, size, labels):
        typer.echo(f"warning: {warning}", err=True)


def _write(path: Path, text: str) -> None:
    """Write an area file, and take it away again if it is not good.

    Raises:
        AreaError: it exists, is too large, or a value is wrong.
    """
    if path.exists():
        raise AreaError(f"{path}: exists; give another --out")
    if len(text.encode()) > MAX_FILE_BYTES:
        raise AreaError("the outline has too many vertices for an area file; simplify it first, to 100 m or so")
    path.write_text(text, encoding="utf-8")
    try:
        load_area(path)
    except AreaError:
        path.unlink()
        raise


def describe(
    path: Path,
    name: str,
    aoi: BaseGeometry,
    grid: Grid,
    year: int,
    labels: str,
    sensors: tuple[str, ...],
    size: Size,
) -> str:
    """Return the text of an area file.

    Args:
        path: where it will be, from which its editor finds the schema.
        name: of the area.
        aoi: polygon in longitude, latitude (degrees).
        grid: of the cube.
        year: of scenes and labels.
        labels: name of a preset, or of a mapping file.
        sensors: that are processed.
        size: what a year takes.
    """
    rectangle = aoi.equals(box(*aoi.bounds))
    written: Any = [round(v, 6) for v in aoi.bounds] if rectangle else json.loads(shapely.to_geojson(aoi))
    return _TEMPLATE.format(
        schema=schema_beside(path),
        file=path.name,
        name=name,
        aoi=json.dumps(written),
        rows=grid.rows,
        cols=grid.cols,
        epsg=grid.epsg,
        x=grid.origin_x_m,
        y=grid.origin_y_m,
        mgrs=", ".join(size.mgrs_tiles),
        disk=human(size.bytes),
        hours=hours(size.hours),
        sensors=", ".join(sensors),
        presets=", ".join(PRESETS),
        labels=labels,
        year=year,
    )


def schema_beside(path: Path) -> str:
    """Return how an area file names its schema: relative inside the checkout that holds both, else in full."""
    here = Path(__file__).resolve().parent
    published, folder = here.parent / "docs" / SCHEMA, path.resolve().parent
    if published.is_file() and folder.is_relative_to(here.parent):
        return os.path.relpath(published, folder)
    return str(here / SCHEMA)


def size_lines(size: Size) -> Iterator[str]:
    """Say for people what a year of an area takes, at most."""
    names = ", ".join(size.mgrs_tiles[:6]) + (", ..." if len(size.mgrs_tiles) > 6 else "")
    yield f"Sentinel-2 tiles: {len(size.mgrs_tiles)} ({names})"
    yield f"scenes a year: up to {size.scenes:,} of Sentinel-2, {size.frames:,} of OLCI"
    parts = {"landing": size.landing_bytes, "artifacts": size.artifacts_bytes, "cube": size.cube_bytes}
    listed = ", ".join(f"{name} {human(value)}" for name, value in (parts | {"maps": size.maps_bytes}).items())
    yield f"disk a year, all copies: up to {human(size.bytes)} ({listed})"
    yield f"computing a year on 2 cores: up to {hours(size.hours)} for scenes; training and maps come on top"


def warnings_of(aoi: BaseGeometry, size: Size, labels: str) -> Iterator[str]:
    """Say what a person may not expect of an area."""
    if size.large:
        taken = f"up to {human(size.bytes)} and {hours(size.hours)} of computing"
        without = ", or leave out OLCI (--sensors s2)" if size.frames else ""
        yield f"a year takes {taken}: begin with some weeks, divide the area{without}"
    share = share_with_corine(aoi) if labels in PRESETS else 1.0
    if share < 0.95:
        where = "no part" if share < 0.005 else f"only about {100 * share:.0f} %"
        yield f"Corine Land Cover maps {where} of this area: give a mapping of your own labels (docs/area.md)"


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An area file.")],
    products: Annotated[list[Path] | None, typer.Argument(metavar="[PRODUCT]...", help="Products by name.")] = None,
    catalogue: Annotated[
        bool, typer.Option("--catalogue", help="Ask the source's catalogue how many products of which size a year is.")
    ] = False,
) -> None:
    """Check an area file, and judge products by their names.

    It says which are used, warped or refused, and why; nothing is opened. With --catalogue it also asks the catalogue
    of the area's `source:`, or the Copernicus Data Space, for the last of the area's years that is over, or for last
    year where none is: a line for each product type.

    Example: landstream area check sibiu.yaml downloads/*
    """
    try:
        area = load_area(file)
    except AreaError as error:
        typer.echo(f"landstream: {error}", err=True)
        raise typer.Exit(2) from error
    for line in area_lines(area):
        typer.echo(line)
    for path in products or []:
        typer.echo(f"{path.name}: {verdict_of(path, area)}")
    if catalogue:
        from landstream.arrivals.year import year_lines  # a package that loads what asking a catalogue needs

        for line in year_lines(area):
            typer.echo(line)


def area_lines(area: Area) -> Iterator[str]:
    """Say for people what an area is."""
    grid = area.grid
    yield f"{area.name}: {grid.rows} x {grid.cols} tiles in EPSG:{grid.epsg}, {len(area.labels.classes)} classes"
    yield f"Sentinel-2 tiles needed: {', '.join(sorted({t.name for t, _ in tiles_over(area.polygon)}))}"
    left_out = [sensor for sensor in SENSORS if sensor not in area.sensors]
    if left_out:
        yield f"sensors: {', '.join(area.sensors)}; scenes of {', '.join(left_out)} are registered and go no further"
