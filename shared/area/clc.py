"""The CORINE Land Cover nomenclature: 44 classes in three levels with their official colours.

Source: CORINE Land Cover nomenclature and colours, Copernicus Land Monitoring Service, European Environment Agency.
"""

from typing import Final

CLC_LEVEL_3: Final[dict[str, tuple[str, str]]] = {
    "111": ("Continuous urban fabric", "#e6004d"),
    "112": ("Discontinuous urban fabric", "#ff0000"),
    "121": ("Industrial or commercial units", "#cc4df2"),
    "122": ("Road and rail networks and associated land", "#cc0000"),
    "123": ("Port areas", "#e6cccc"),
    "124": ("Airports", "#e6cce6"),
    "131": ("Mineral extraction sites", "#a600cc"),
    "132": ("Dump sites", "#a64d00"),
    "133": ("Construction sites", "#ff4dff"),
    "141": ("Green urban areas", "#ffa6ff"),
    "142": ("Sport and leisure facilities", "#ffe6ff"),
    "211": ("Non-irrigated arable land", "#ffffa8"),
    "212": ("Permanently irrigated land", "#ffff00"),
    "213": ("Rice fields", "#e6e600"),
    "221": ("Vineyards", "#e68000"),
    "222": ("Fruit trees and berry plantations", "#f2a64d"),
    "223": ("Olive groves", "#e6a600"),
    "231": ("Pastures", "#e6e64d"),
    "241": ("Annual crops associated with permanent crops", "#ffe6a6"),
    "242": ("Complex cultivation patterns", "#ffe64d"),
    "243": ("Land principally occupied by agriculture, with significant areas of natural vegetation", "#e6cc4d"),
    "244": ("Agro-forestry areas", "#f2cca6"),
    "311": ("Broad-leaved forest", "#80ff00"),
    "312": ("Coniferous forest", "#00a600"),
    "313": ("Mixed forest", "#4dff00"),
    "321": ("Natural grasslands", "#ccf24d"),
    "322": ("Moors and heathland", "#a6ff80"),
    "323": ("Sclerophyllous vegetation", "#a6e64d"),
    "324": ("Transitional woodland-shrub", "#a6f200"),
    "331": ("Beaches, dunes, sands", "#e6e6e6"),
    "332": ("Bare rocks", "#cccccc"),
    "333": ("Sparsely vegetated areas", "#ccffcc"),
    "334": ("Burnt areas", "#000000"),
    "335": ("Glaciers and perpetual snow", "#a6e6cc"),
    "411": ("Inland marshes", "#a6a6ff"),
    "412": ("Peat bogs", "#4d4dff"),
    "421": ("Salt marshes", "#ccccff"),
    "422": ("Salines", "#e6e6ff"),
    "423": ("Intertidal flats", "#a6a6e6"),
    "511": ("Water courses", "#00ccf2"),
    "512": ("Water bodies", "#80f2e6"),
    "521": ("Coastal lagoons", "#00ffa6"),
    "522": ("Estuaries", "#a6ffe6"),
    "523": ("Sea and ocean", "#e6f2ff"),
}
"""CLC code -> (name, colour)."""

CLC_LEVEL_2: Final[dict[str, str]] = {
    "11": "Urban fabric",
    "12": "Industrial, commercial and transport units",
    "13": "Mine, dump and construction sites",
    "14": "Artificial, non-agricultural vegetated areas",
    "21": "Arable land",
    "22": "Permanent crops",
    "23": "Pastures",
    "24": "Heterogeneous agricultural areas",
    "31": "Forests",
    "32": "Scrub and/or herbaceous vegetation associations",
    "33": "Open spaces with little or no vegetation",
    "41": "Inland wetlands",
    "42": "Maritime wetlands",
    "51": "Inland waters",
    "52": "Marine waters",
}

CLC_LEVEL_1: Final[dict[str, str]] = {
    "1": "Artificial surfaces",
    "2": "Agricultural areas",
    "3": "Forest and semi-natural areas",
    "4": "Wetlands",
    "5": "Water bodies",
}

CLC_GRID_CODES: Final[dict[int, str]] = {
    **dict(enumerate(sorted(CLC_LEVEL_3), start=1)),
    48: "999",
    49: "990",
    50: "995",
    255: "990",
}
"""Value of a pixel of EEA's rasters -> CLC code; rasters of 2018 that hold the codes themselves are read, too."""

CLC_UNCLASSIFIED: Final = frozenset({"990", "995", "999"})
"""Codes of unclassified land, unclassified water and no data: known, and not labelled."""
