"""`landstream area`: write an area file, and say what it would make of products."""

from __future__ import annotations

import json
import math
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from pyproj import Transformer
from shapely.geometry import box, shape
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from services.ingest.names import ARRIVING, SafeName, Sen3Name, parse_product
from shared.area import Area, AreaError, load_area
from shared.area.area import default_grid
from shared.area.scheme import PRESETS
from shared.geo import Grid, MgrsTile
from shared.geo.mgrs import tiles_over
from shared.items.weeks import iso_week

app = typer.Typer(
    name="area",
    help="Write and check area files.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)

BYTES_A_TILE_WEEK = 256 * 256 * 4 * 2 + 128 * 128 * (6 * 2 + 2) + 43 * 43 * 6 + 9 * 9 * (21 * 4 + 2)
COMPRESSED = 0.6
UNKNOWN = "refused: not a product that Landstream knows"

_TEMPLATE = """\
# A study area of Landstream. `landstream area check {file}` says what it would use.
name: {name}

# West, south, east, north in degrees, or a GeoJSON polygon.
aoi: {aoi}

# The cube's grid: {rows} x {cols} tiles of 2,560 m in the UTM zone with most of the area; origin a multiple of 60 m.
# MGRS tiles needed: {mgrs}
# Expected disk: about {disk} for each week that is observed as a whole.
grid: {{epsg: {epsg}, origin_x_m: {x}, origin_y_m: {y}, rows: {rows}, cols: {cols}}}

# Processing level that is put into the cube: l2a or l1c.
level: l2a

# Label scheme: {presets},
# or a mapping of your own, here or in a file (`labels: mapping.yaml`): scheme, attribute, classes with code, name,
# color and sources; examples/areas/brandenburg.yaml has one.
labels: {labels}
# Reference year of the labels; the delivery nearest to it is burned.
label_year: {year}

# ISO years of scenes that are accepted.
years: [{year}]

# What a running stream decides by itself; these are the defaults.
policy:
  every: 200        # new tile-weeks after which a watching run trains without waiting for quiet
  quiet_s: 60       # seconds without due work before it trains
  remap: 53         # weeks (newest first) that a new model maps again
  patience_s: 3600  # seconds that an incomplete product may wait in landing/
  training: {{filters: 24, epochs: 24, steps: 36, folds: 5, seed: 0}}
"""


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Lower case letters, digits and dashes.")],
    aoi: Annotated[str, typer.Option(metavar="FILE|W,S,E,N", help="GeoJSON file, or degrees.")],
    year: Annotated[int, typer.Option(help="Year of scenes and labels.")],
    labels: Annotated[str, typer.Option(help=f"Label scheme: {', '.join(PRESETS)}.")] = "clc-level1",
    out: Annotated[Path | None, typer.Option(help="File to write; NAME.yaml by default.")] = None,
) -> None:
    """Write a commented area file.

    Example: landstream area new sibiu --aoi 23.9,45.7,24.3,45.9 --year 2018 --labels clc-level2
    """
    path = out or Path(f"{name}.yaml")
    try:
        geometry = read_aoi(aoi)
        grid = default_grid(geometry)
        text = describe(path.name, name, geometry, grid, year, labels)
        if path.exists():
            raise AreaError(f"{path}: exists; give another --out")
        path.write_text(text, encoding="utf-8")
        try:
            load_area(path)
        except AreaError:
            path.unlink()
            raise
    except (AreaError, ValueError, OSError) as error:
        typer.echo(f"landstream: {error}", err=True)
        raise typer.Exit(2) from error
    typer.echo(f"{path}: {grid.rows} x {grid.cols} tiles in EPSG:{grid.epsg}")


def read_aoi(text: str) -> BaseGeometry:
    """Read a polygon in longitude, latitude from `W,S,E,N` or a GeoJSON file.

    Raises:
        AreaError: it is neither.
    """
    parts = text.split(",")
    if len(parts) == 4:
        try:
            west, south, east, north = map(float, parts)
        except ValueError:
            raise AreaError(f"--aoi {text}: not W,S,E,N in degrees") from None
        if not (-180 <= west < east <= 180 and -80 <= south < north <= 84):
            raise AreaError(f"--aoi {text}: not west, south, east, north in degrees within 80 S to 84 N")
        return box(west, south, east, north)
    try:
        data = json.loads(Path(text).read_text(encoding="utf-8"))
        members = data.get("features", [data])
        return unary_union([shape(m.get("geometry", m)) for m in members])
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        raise AreaError(f"--aoi {text}: neither W,S,E,N nor a GeoJSON file ({error})") from error


def describe(file: str, name: str, aoi: BaseGeometry, grid: Grid, year: int, labels: str) -> str:
    """Return the text of an area file."""
    rectangle = aoi.equals(box(*aoi.bounds))
    written: Any = [round(v, 6) for v in aoi.bounds] if rectangle else json.loads(json.dumps(aoi.__geo_interface__))
    size = BYTES_A_TILE_WEEK * COMPRESSED * grid.rows * grid.cols
    return _TEMPLATE.format(
        file=file,
        name=name,
        aoi=json.dumps(written),
        rows=grid.rows,
        cols=grid.cols,
        epsg=grid.epsg,
        x=grid.origin_x_m,
        y=grid.origin_y_m,
        mgrs=", ".join(t.name for t, _ in tiles_over(aoi)),
        disk=_human(size),
        presets=", ".join(PRESETS),
        labels=labels,
        year=year,
    )


def _human(size: float) -> str:
    power = min(4, int(math.log(max(size, 1), 1000)))
    return f"{size / 1000**power:.1f} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An area file.")],
    products: Annotated[list[Path] | None, typer.Argument(metavar="[PRODUCT]...", help="Products by name.")] = None,
) -> None:
    """Check an area file, and judge products by their names.

    It says which are used, warped or refused, and why; nothing is opened.

    Example: landstream area check sibiu.yaml downloads/*
    """
    try:
        area = load_area(file)
    except AreaError as error:
        typer.echo(f"landstream: {error}", err=True)
        raise typer.Exit(2) from error
    grid = area.grid
    typer.echo(f"{area.name}: {grid.rows} x {grid.cols} tiles in EPSG:{grid.epsg}, {len(area.labels.classes)} classes")
    typer.echo(f"MGRS tiles needed: {', '.join(t.name for t, _ in tiles_over(area.polygon))}")
    for path in products or []:
        typer.echo(f"{path.name}: {verdict(path.name, area)}")


def verdict(name: str, area: Area) -> str:
    """Say what an area would make of a product, judged by its name alone: used, warped or refused, and why.

    Args:
        name: of the folder or file; the grammar is that of ingest.
        area: the study area.
    """
    if name.startswith("."):
        return "left alone: a hidden name"
    if name.lower().endswith(ARRIVING):
        return "refused: the name of an unfinished transfer"
    match parse_product(name):
        case SafeName() as product:
            return _verdict_s2(product, area)
        case Sen3Name(product_type="ERR"):
            return "registered, refused for the cube: reduced resolution (ERR)"
        case Sen3Name() as product:
            return _outside_years(product.start, area) or "used: OLCI"
    if name.lower().endswith((".gpkg", ".zip")):
        return "read to tell: labels, or a product inside"
    return UNKNOWN


def _verdict_s2(product: SafeName, area: Area) -> str:
    outside = _outside_years(product.datatake_start, area)
    if outside:
        return outside
    try:
        tile = MgrsTile.parse(product.mgrs_tile)
    except ValueError as error:
        return f"refused: {error}"
    needed = {t.name for t, _ in tiles_over(area.polygon)}
    if tile.name not in needed and not _meets(tile, area):
        return f"refused: {tile.name} is outside the area"
    if product.level.lower() != area.level:
        return f"registered and masked, not tiled: the area's level is {area.level}"
    return "used: copied" if tile.epsg == area.grid.epsg else f"used: warped from EPSG:{tile.epsg}"


def _outside_years(start: datetime, area: Area) -> str | None:
    """Return why a start is refused; the ISO year counts. None = it is not."""
    week = iso_week(start)
    return None if int(week[:4]) in area.years else f"refused: {week[:4]} (week {week}) is not in {area.years}"


def _meets(tile: MgrsTile, area: Area) -> bool:
    """Tell whether a tile of a neighbouring zone reaches into the AOI with its overlap."""
    context = box(*area.polygon.buffer(1.0).bounds)
    for other, bounds in tiles_over(context):
        if other.name == tile.name:
            to_degrees = Transformer.from_crs(tile.epsg, 4326, always_xy=True)
            return bool(box(*to_degrees.transform_bounds(*bounds)).intersects(area.polygon))
    return False
