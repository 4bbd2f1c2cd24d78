"""`landstream catalogue`: search a catalogue of Sentinel products, and download from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landstream.arrivals.asking import asking
from landstream.commands.opening import fail, tell_error
from landstream.commands.options import JsonOption
from landstream.commands.showing import show

if TYPE_CHECKING:
    from services.ingest.fetch.provider import Offer, Provider, Query
    from services.ingest.fetch.spans import Catalogue

FAILED_EXIT = 1

app = typer.Typer(
    name="catalogue",
    help="Search a catalogue of Sentinel products, and download from it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)

AreaArgument = Annotated[
    Path | None, typer.Argument(metavar="[AREA.yaml]", help="An area file: its outline, days, types and `source:`.")
]
AoiOption = Annotated[
    str, typer.Option("--aoi", metavar="W,S,E,N|WKT|FILE", help="Another outline, in place of the area's.")
]
TypeOption = Annotated[
    list[str] | None, typer.Option("--type", help="S2MSI2A, S2MSI1C or OL_1_EFR___; may be repeated.")
]
DAYS = ["%Y-%m-%d"]
StartOption = Annotated[datetime | None, typer.Option("--start", formats=DAYS, help="First day of sensing, UTC.")]
EndOption = Annotated[datetime | None, typer.Option("--end", formats=DAYS, help="Last day of sensing, UTC.")]
CloudOption = Annotated[
    float | None, typer.Option("--max-cloud", min=0, max=100, help="Percent of cloud, of Sentinel-2, at most.")
]
PlatformOption = Annotated[str, typer.Option("--platform", help="Satellite, such as S2A.")]
TileOption = Annotated[str, typer.Option("--tile", help="MGRS tile, such as T34TFR.")]


@app.command()
def search(
    area: AreaArgument = None,
    aoi: AoiOption = "",
    types: TypeOption = None,
    start: StartOption = None,
    end: EndOption = None,
    max_cloud: CloudOption = None,
    platform: PlatformOption = "",
    tile: TileOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show what a catalogue has.

    The `source:` of the area is asked; without one, and with --aoi alone, the Copernicus Data Space. Without --start
    the area's years are searched, with --aoi alone the last 30 days. Searching the Data Space needs no account.

    On a terminal a table, newest publication first: name, when sensed and published (UTC), size, cloud, whether it can
    be had at once, the address of a quicklook. Piped, or with --json, one JSON a line.

    Example: landstream catalogue search --aoi 23.9,45.7,24.3,45.9 --start 2024-06-01 --end 2024-06-30 --max-cloud 20
    """
    asked = _asked(area, aoi, types, start, end, max_cloud, platform, tile)
    from landstream.arrivals.offers import COLUMNS, line, row

    with asking(asked.source, for_search=True) as provider:
        found = (offer for query in asked.queries for offer in provider.search(query))
        show(found, as_json, line, COLUMNS, row, "nothing of this kind is there")


@app.command()
def fetch(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the products; made if absent.")],
    area: AreaArgument = None,
    aoi: AoiOption = "",
    types: TypeOption = None,
    start: StartOption = None,
    end: EndOption = None,
    max_cloud: CloudOption = None,
    platform: PlatformOption = "",
    tile: TileOption = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how many products of which size, no more.")] = False,
) -> None:
    """Download what a catalogue has into a folder.

    It is searched for as `landstream catalogue search` does. Products are whole, and of the size and checksum that the
    catalogue states; what lies in the folder already is not fetched again, and what broke off goes on the next time.
    Downloading needs an account: for the Data Space LANDSTREAM_CDSE_USERNAME and LANDSTREAM_CDSE_PASSWORD. An account
    has four connections, and the requests of one process: leave it alone while a stream fetches with the same account.

    `landstream run` takes the products of such a folder in; an area with a `source:` needs none of this.

    Exit code: 0; 1 if a product did not come; 2 if the command cannot be carried out.

    Example: landstream catalogue fetch sibiu.yaml --tile T34TGR --start 2024-06-01 --out downloads --dry-run
    """
    asked = _asked(area, aoi, types, start, end, max_cloud, platform, tile)
    from landstream.arrivals.downloads import is_ours, there_already
    from landstream.arrivals.offers import total_of

    with asking(asked.source, for_search=dry_run) as provider:
        found = [offer for query in asked.queries for offer in provider.search(query)]
        for offer in found:
            if not is_ours(offer):
                tell_error(f"{offer.name[:200]!r} is left out: is not named as a product that can be read")
        wanted = [offer for offer in found if is_ours(offer) and there_already(out, offer.name) is None]
        there = sum(is_ours(offer) for offer in found) - len(wanted)
        typer.echo(f"{total_of(wanted)}" + (f"; {there} more lie in {out}" if there else ""))
        if dry_run or not wanted:
            return
        if not _download(provider, wanted, out):
            raise typer.Exit(FAILED_EXIT)


def _download(provider: Provider, wanted: list[Offer], out: Path) -> bool:
    """Download products, and say how each ended; return whether all came."""
    from landstream.arrivals.downloads import Downloads
    from landstream.arrivals.progress_bars import ProgressBars

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"--out {out}: {error.strerror}")
    all_came = True
    with ProgressBars() as bars:
        for ended in Downloads(provider, out, bars.heard).run(wanted):
            bars.end(ended.product, f"{ended.product}: {ended.fault}" if ended.fault else str(ended.path))
            all_came = all_came and not ended.fault
    return all_came


@dataclass(frozen=True)
class _Asked:
    source: Catalogue
    queries: list[Query]


def _asked(
    area: Path | None,
    aoi: str,
    types: list[str] | None,
    start: datetime | None,
    end: datetime | None,
    max_cloud: float | None,
    platform: str,
    tile: str,
) -> _Asked:
    """Return whom to ask for what; end with one line where that cannot be."""
    from landstream.aoi import read_aoi
    from landstream.arrivals.queries import BadQuery, Limits, queries, source_of
    from shared.area import AreaError, load_area

    if area is None and not aoi:
        fail("say where: an area file, or --aoi W,S,E,N")
    first, last = start.date() if start else None, end.date() if end else None
    try:
        loaded = load_area(area) if area else None
        outline = read_aoi(aoi).polygon if aoi or loaded is None else loaded.polygon
        source = source_of(loaded, "give --aoi in place of the area file to ask the Data Space")
        limits = Limits(types or (), first, last, max_cloud, platform, tile)
        return _Asked(source, queries(outline, loaded, source, limits, datetime.now(UTC).date()))
    except (AreaError, BadQuery, OSError) as error:
        fail(error)
