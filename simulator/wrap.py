"""Put real bands into a Sentinel-2 product, so that they run through the pipeline like any other."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np

from shared.geo.mgrs import SQUARE_M, MgrsTile, latitude_band, square_letters
from simulator.bands import (
    HIGHEST_DN,
    BandEncoding,
    BandFile,
    FileGrid,
    WrapError,
    common_lattice,
    read_classes,
    read_dn,
    read_grid,
)
from simulator.msi import Lattice
from simulator.safe import ByteArray, DnArray, SafeContent, at_resolution, write_l1c, write_l2a
from simulator.safe_names import BAND_IDS, SafeName
from simulator.sky import sun_at
from simulator.spectra import S2_RESOLUTION_M

UNCLASSIFIED = 7
"""Scene class that counts as clear and claims nothing else."""

MAY_LACK = ("B01", "B09")
"""Bands of L2A that no mask and no 10 or 20 m array needs."""

_DARKEST = 100
"""DN, a reflectance of 0.01: no scene of all bands stays below."""


@dataclass(frozen=True)
class Identity:
    """What the name of a product says of its scene.

    Attributes:
        level: `L1C` top of atmosphere, `L2A` surface reflectance.
        time: Datatake start; UTC where it has no zone.
        platform: `S2A` .. `S2D`.
        relative_orbit: 1..143.
        absolute_orbit: Of the datatake.
        baseline: Processing baseline, four digits; from 0400 on DN have the offset -1000. Empty = 0500 if the files'
            offset is negative, else 0209: numbers that are DN of Sentinel-2 then stay what they are.
        mgrs_tile: Such as `T33UUU`; empty = the 100 km square of the centre.
        generated: When the product was made; None = `time`.
    """

    level: Literal["L1C", "L2A"]
    time: datetime
    platform: str = "S2A"
    relative_orbit: int = 1
    absolute_orbit: int = 1
    baseline: str = ""
    mgrs_tile: str = ""
    generated: datetime | None = None


@dataclass(frozen=True)
class Wrapped:
    """A product that was made.

    Attributes:
        product: Its SAFE folder.
        notes: What a person should know of it, one line each.
    """

    product: Path
    notes: tuple[str, ...]


def bands_of(level: str) -> tuple[str, ...]:
    """Return the bands of a level, `L1C` or `L2A`: only the former has B10."""
    return tuple(band for band in BAND_IDS if level == "L1C" or band != "B10")


def wrap(
    out: Path,
    bands: Mapping[str, BandFile],
    identity: Identity,
    encoding: BandEncoding | None = None,
    scl: Path | None = None,
    without: Collection[str] = (),
) -> Wrapped:
    """Write bands as a SAFE product.

    Pixels at a band's own resolution are taken as they are. Finer ones become means of whole observed blocks, coarser
    ones are repeated. What lies outside the extent that all files share, in whole 60 m pixels, is left out.

    Args:
        out: Parent folder; a product of the same name in it is replaced.
        bands: Band to file: all of the level but those of `without`.
        identity: Which scene it is.
        encoding: How the files hold reflectance; DN of Sentinel-2 without offset by default.
        scl: Scene classification of Sen2Cor at 20 or 60 m, for L2A; without one all that is observed counts as clear.
        without: Bands written without data, of B01 and B09 of L2A.

    Returns:
        The product, and notes on what was made up, left out or clipped.

    Raises:
        WrapError: The files do not make a product; says which, why and what to do.
    """
    encoding = encoding or BandEncoding()
    _check_bands(bands, identity.level, without)
    if scl and identity.level == "L1C":
        raise WrapError(f"{scl}: a level-1C product holds no scene classification; leave it out, or wrap level l2a")
    grids = {file.path: read_grid(file) for file in bands.values()}
    if scl:
        grids[scl] = read_grid(BandFile(scl))
    lattice = common_lattice(grids)
    notes = _left_out(grids, lattice)
    name = _name(identity, lattice, encoding)
    dn: dict[str, DnArray] = {}
    for band in bands_of(name.level):
        pixel_m = S2_RESOLUTION_M[band]
        if band in without:
            dn[band] = np.zeros((lattice.rows * 10 // pixel_m, lattice.columns * 10 // pixel_m), dtype=np.uint16)
            notes.append(f"{band} is written without data")
            continue
        file = bands[band]
        grid = grids[file.path]
        image, clipped = read_dn(file, grid, lattice, encoding, name.offset)
        if not image.any():
            raise WrapError(f"{file.path}: {band} is nodata everywhere in the extent of all bands; check --nodata")
        _check_scale(file.path, band, image, encoding)
        if clipped:
            notes.append(f"{file.path}: {clipped} pixels of {band} were clipped to what a DN can say")
        if grid.pixel_m != pixel_m:
            notes.append(f"{file.path}: {band} was brought from {grid.pixel_m} m to {pixel_m} m")
        dn[band] = at_resolution({grid.pixel_m: image}, pixel_m)
    if all(int(image.max()) + name.offset < _DARKEST for image in dn.values()):
        raise WrapError(
            f"{next(iter(bands.values())).path}: no reflectance reaches 0.01 with the scale {encoding.scale:g}; values "
            "that are reflectance already need --scale 1"
        )
    if scl:
        classes = read_classes(scl, grids[scl], lattice)
    else:
        classes = np.where(dn["B05"] == 0, 0, UNCLASSIFIED).astype(np.uint8)
        if name.level == "L2A":
            notes.append("no --scl was given: all that is observed counts as clear, clouds too")
    return Wrapped(_write(out, name, lattice, dn, classes), tuple(notes))


def tile_of(lattice: Lattice) -> str:
    """Return the MGRS tile of the 100 km square that holds a lattice's centre, in the lattice's own zone.

    Raises:
        WrapError: The centre lies further from the zone's meridian than MGRS has squares.
    """
    x, y = lattice.ulx_m + lattice.columns * 5, lattice.uly_m - lattice.rows * 5
    zone, easting = lattice.epsg % 100, x // SQUARE_M
    if not 1 <= easting <= 8:
        raise WrapError(f"EPSG:{lattice.epsg}: x = {x} m is outside the zone; warp the bands to the zone they lie in")
    column, row = square_letters(zone, easting, y // SQUARE_M)
    return MgrsTile(zone, latitude_band(lattice.centre_deg[1]), column, row).name


def _check_bands(bands: Mapping[str, BandFile], level: str, without: Collection[str]) -> None:
    wanted = bands_of(level)
    for band in without:
        if level != "L2A" or band not in MAY_LACK:
            raise WrapError(f"--without {band}: only {' and '.join(MAY_LACK)} of l2a may be left out; name its file")
    if surplus := [band for band in bands if band not in wanted]:
        raise WrapError(f"{bands[surplus[0]].path}: level {level} has no {surplus[0]}; leave it out")
    if missing := [band for band in wanted if band not in bands and band not in without]:
        dispensable = level == "L2A" and set(missing) <= set(MAY_LACK)
        hint = f", or go --without {','.join(missing)}" if dispensable else ""
        raise WrapError(f"no file of {', '.join(missing)}; correct --pattern, or name them with --band BAND=FILE{hint}")


def _name(identity: Identity, lattice: Lattice, encoding: BandEncoding) -> SafeName:
    time = identity.time if identity.time.tzinfo else identity.time.replace(tzinfo=UTC)
    generated = identity.generated or time
    baseline = identity.baseline or ("0500" if encoding.offset < 0 else "0209")
    try:
        tile = MgrsTile.parse(identity.mgrs_tile or tile_of(lattice))
    except ValueError as error:
        raise WrapError(f"--tile {identity.mgrs_tile}: {error}") from error
    if tile.epsg != lattice.epsg:
        raise WrapError(
            f"--tile {tile.name}: lies in EPSG:{tile.epsg}, but the bands in EPSG:{lattice.epsg}; name a tile of that "
            "zone, or leave it out"
        )
    return SafeName(
        identity.platform,
        identity.level,
        time.astimezone(UTC),
        baseline,
        identity.relative_orbit,
        identity.absolute_orbit,
        tile.name,
        generated.astimezone(UTC),
    )


def _left_out(grids: Mapping[Path, FileGrid], lattice: Lattice) -> list[str]:
    """Return a note if any file reaches further than the lattice."""
    bounds = (lattice.ulx_m, lattice.uly_m, lattice.rows * 10, lattice.columns * 10)
    if all((g.west_m, g.north_m, g.rows * g.pixel_m, g.columns * g.pixel_m) == bounds for g in grids.values()):
        return []
    return [f"cut to what all bands share in whole 60 m pixels: {lattice.rows} x {lattice.columns} pixels of 10 m"]


def _check_scale(path: Path, band: str, image: DnArray, encoding: BandEncoding) -> None:
    if np.median(image[image > 0]) == HIGHEST_DN:
        raise WrapError(
            f"{path}: most of {band} would have a reflectance above 3 with the scale {encoding.scale:g}; "
            "DN of Sentinel-2 need --scale 1e-4"
        )


def _write(out: Path, name: SafeName, lattice: Lattice, dn: Mapping[str, DnArray], classes: ByteArray) -> Path:
    sun = sun_at(name.datatake_start, *lattice.centre_deg)
    content = SafeContent(lattice, dn, sun, classes, np.zeros_like(classes))
    return (write_l2a if name.level == "L2A" else write_l1c)(out, name, content)
