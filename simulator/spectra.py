"""What surfaces, clouds and air do to light: one set of spectra for both sensors.

Every spectrum is defined on the same wavelengths and interpolated to the bands of MSI and OLCI, so that a field has
the same colour for both satellites.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

S2_BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
S2_CENTRES_NM = (442.7, 492.7, 559.8, 664.6, 704.1, 740.5, 782.8, 832.8, 864.7, 945.1, 1373.5, 1613.7, 2202.4)
S2_RESOLUTION_M = dict(zip(S2_BANDS, (60, 10, 10, 10, 20, 20, 20, 10, 20, 60, 60, 20, 20), strict=True))

OLCI_CENTRES_NM = (
    400.0, 412.5, 442.5, 490.0, 510.0, 560.0, 620.0, 665.0, 673.75, 681.25, 708.75,
    753.75, 761.25, 764.375, 767.5, 778.75, 865.0, 885.0, 900.0, 940.0, 1020.0,
)  # fmt: skip
OLCI_WIDTHS_NM = (15, 10, 10, 10, 10, 10, 10, 10, 7.5, 7.5, 10, 7.5, 2.5, 3.75, 2.5, 15, 20, 10, 10, 20, 40)
# Solar irradiance at one astronomical unit, mW m-2 nm-1.
OLCI_IRRADIANCE = (
    1500.0, 1711.0, 1891.0, 1940.0, 1938.0, 1799.0, 1653.0, 1533.0, 1498.0, 1471.0, 1408.0,
    1269.0, 1251.0, 1244.0, 1233.0, 1176.0, 962.0, 933.0, 898.0, 828.0, 701.0,
)  # fmt: skip

_NODES_NM = np.array(
    [400, 443, 490, 560, 620, 665, 681, 705, 740, 783, 842, 865, 945, 1020, 1375, 1610, 2200], dtype=np.float64
)
_SPECTRA: dict[str, tuple[float, ...]] = {
    "crop": (.030, .035, .040, .080, .055, .040, .040, .120, .320, .420, .450, .460, .460, .460, .350, .200, .100),
    "bloom": (.035, .040, .060, .150, .140, .110, .105, .180, .330, .400, .430, .440, .440, .440, .350, .220, .120),
    "grass": (.030, .035, .045, .085, .065, .055, .055, .130, .290, .360, .390, .400, .400, .400, .320, .240, .130),
    "broadleaf": (.020, .025, .030, .060, .040, .030, .030, .090, .280, .370, .400, .410, .410, .410, .300, .170, .080),
    "conifer": (.015, .020, .022, .038, .029, .025, .025, .058, .170, .215, .235, .240, .240, .235, .170, .105, .052),
    "dry": (.050, .060, .080, .120, .160, .180, .185, .210, .250, .280, .300, .310, .320, .340, .350, .360, .270),
    "litter": (.030, .038, .048, .070, .090, .100, .103, .125, .160, .185, .205, .212, .230, .250, .260, .250, .180),
    "soil": (.060, .070, .090, .120, .155, .170, .175, .185, .200, .215, .230, .240, .260, .280, .320, .340, .300),
    "roof": (.085, .095, .110, .140, .190, .215, .218, .225, .232, .240, .250, .255, .262, .270, .280, .285, .265),
    "hall": (.250, .270, .300, .320, .330, .340, .340, .345, .350, .355, .360, .360, .360, .360, .355, .350, .320),
    "asphalt": (.070, .075, .085, .095, .105, .110, .111, .115, .120, .124, .130, .132, .136, .140, .150, .160, .155),
    "lake": (.030, .030, .032, .034, .018, .012, .011, .009, .006, .005, .004, .004, .003, .002, .001, .002, .001),
    "river": (.048, .055, .070, .095, .080, .066, .064, .052, .030, .027, .022, .020, .012, .010, .002, .005, .003),
    "cloud": (.780, .780, .780, .770, .760, .760, .760, .755, .750, .745, .740, .735, .720, .700, .600, .480, .370),
    "snow": (.900, .910, .910, .900, .890, .880, .880, .870, .860, .850, .820, .800, .720, .600, .150, .080, .050),
}  # fmt: skip


@dataclass(frozen=True)
class Material:
    """What a piece of ground is made of, and how green it is over the year.

    Attributes:
        name: For people.
        green: Spectrum when fully green.
        bare: Spectrum when not green at all.
        start_doy: Day when half of the green is there.
        end_doy: Day when half of the green is gone.
        low: Greenness outside the season, 0..1.
        high: Greenness at the peak, 0..1.
        water: Whether a classifier would call it water.
    """

    name: str
    green: str
    bare: str
    start_doy: float = 0.0
    end_doy: float = 400.0
    low: float = 0.0
    high: float = 0.0
    water: bool = False


MATERIALS = (
    Material("wheat", "crop", "dry", 78, 178, 0.10, 0.95),
    Material("maize", "crop", "soil", 152, 252, 0.02, 0.95),
    Material("rape", "bloom", "soil", 72, 168, 0.12, 0.95),
    Material("sunflower", "crop", "dry", 146, 226, 0.02, 0.85),
    Material("lucerne", "grass", "soil", 92, 296, 0.25, 0.92),
    Material("fallow", "grass", "soil", 110, 200, 0.10, 0.35),
    Material("grass", "grass", "dry", 86, 305, 0.40, 0.90),
    Material("broadleaf", "broadleaf", "litter", 112, 288, 0.12, 0.97),
    Material("conifer", "conifer", "litter", 60, 330, 0.82, 0.97),
    Material("shrub", "broadleaf", "dry", 104, 295, 0.22, 0.75),
    Material("vine", "broadleaf", "soil", 128, 284, 0.05, 0.55),
    Material("orchard", "broadleaf", "dry", 106, 290, 0.20, 0.72),
    Material("reed", "grass", "litter", 128, 272, 0.10, 0.80),
    Material("roof", "grass", "roof", 90, 300, 0.02, 0.10),
    Material("hall", "grass", "hall", 90, 300, 0.00, 0.02),
    Material("asphalt", "grass", "asphalt", 90, 300, 0.02, 0.08),
    Material("lake", "lake", "lake", water=True),
    Material("river", "river", "river", water=True),
)
MATERIAL_INDEX = {material.name: index for index, material in enumerate(MATERIALS)}

# A pixel's state: material, how late its season is, how vigorous it grows.
PHASES = 8
VIGOURS = 4
STATES = len(MATERIALS) * PHASES * VIGOURS


def spectrum(name: str, centres_nm: tuple[float, ...]) -> FloatArray:
    """Surface reflectance of one spectrum at band centres: float32 (band,)."""
    return np.interp(centres_nm, _NODES_NM, _SPECTRA[name]).astype(np.float32)


def greenness(material: Material, day_of_year: float) -> float:
    """Green fraction 0..1: a logistic rise and a logistic fall."""
    rise = 1 / (1 + math.exp(-(day_of_year - material.start_doy) / 9))
    fall = 1 / (1 + math.exp(-(day_of_year - material.end_doy) / 10))
    return material.low + (material.high - material.low) * max(rise - fall, 0.0)


def surface_table(day_of_year: float, centres_nm: tuple[float, ...]) -> FloatArray:
    """Surface reflectance of every state on a day.

    Args:
        day_of_year: 1..366.
        centres_nm: Band centres.

    Returns:
        float32 (band, state); state = (material * PHASES + phase) * VIGOURS + vigour.
    """
    table = np.empty((len(centres_nm), STATES), dtype=np.float32)
    state = 0
    for material in MATERIALS:
        green, bare = spectrum(material.green, centres_nm), spectrum(material.bare, centres_nm)
        for phase in range(PHASES):
            late_days = (phase - (PHASES - 1) / 2) * 4.5
            fraction = greenness(material, day_of_year - late_days)
            for vigour in range(VIGOURS):
                level = (vigour - (VIGOURS - 1) / 2) / (VIGOURS - 1)
                share = min(fraction * (1 + 0.35 * level), 1.0)
                table[:, state] = (share * green + (1 - share) * bare) * (1 - 0.25 * level)
                state += 1
    return table


@dataclass(frozen=True)
class Air:
    """A simple atmosphere: top-of-atmosphere = path + transmittance * surface, each float32 (band,)."""

    path: FloatArray
    transmittance: FloatArray


def air(centres_nm: tuple[float, ...], haze: float = 1.0) -> Air:
    """Path reflectance and two-way transmittance at band centres.

    Args:
        centres_nm: Band centres.
        haze: Factor of the aerosol's share; 1 is an ordinary day.

    Returns:
        Path and transmittance.
    """
    nm = np.asarray(centres_nm, dtype=np.float64)
    rayleigh = 0.105 * (nm / 443) ** -4.05
    aerosol = 0.012 * haze * (nm / 550) ** -1.3
    gas = np.interp(
        nm,
        [550, 600, 650, 750, 756, 761.25, 764.375, 767.5, 772, 870, 885, 900, 925, 940, 945.1, 960, 1000,
         1300, 1373.5, 1450, 1610, 2200],
        [.96, .94, .97, .98, .98, .27, .47, .80, .98, .98, .96, .70, .50, .28, .26, .35, .95,
         .60, .002, .40, .96, .93],
    )  # fmt: skip
    scattering = np.exp(-1.1 * rayleigh - 0.9 * aerosol)
    # What is absorbed high up hides the scattering below it as well.
    path = (rayleigh + aerosol) * np.minimum(gas * 1.2, 1.0)
    return Air(path.astype(np.float32), (scattering * gas).astype(np.float32))
