"""Where Hugin's data comes from, as weeks, bands and validation."""

from __future__ import annotations

from typing import Any, Final

from landstream.hugin.document import Call, Section
from landstream.hugin.reading import Found
from shared.area.inputs import DEFAULT_INPUTS, MOST_HISTORY
from shared.area.training import WINDOW_PX

VALIDATION_PERCENT: Final = 20.0
"""Of the training pixels, where a file names arrays of indices, or watches a loss without saying of what."""

BANDS_10M: Final = frozenset({"B02", "B03", "B04", "B08"})
_KNOWN: Final = frozenset(
    {
        "slice_timestamps", "random_seed", "split_test_index_array", "split_train_index_array", "validation_percent",
        "inputs", "targets",
    }
)  # fmt: skip


def read_source(source: Call, found: Found) -> None:
    """Read `data_source`."""
    kwds = source.kwds
    if source.name.startswith("hugin.io.ZarrArrayLoader"):
        found.set("inputs", ("msi_10m",), source.line)
        found.say(source.line, "which bands its arrays hold is not said: read as the four of 10 m")
        found.set("patch_px", WINDOW_PX, source.line)
        found.say(source.line, f"a sample is a tile in a stack of weeks there: here a window of {WINDOW_PX} px")
    if "slice_timestamps" in kwds:
        _read_weeks(kwds, found)
    if "random_seed" in kwds:
        found.set("seed", found.count(kwds, "random_seed"), kwds.lines["random_seed"])
    if "validation_percent" in kwds:
        percent = round(100 * found.number(kwds, "validation_percent"), 6)
        found.set("validation_percent", percent, kwds.lines["validation_percent"])
    _read_split(kwds, found)
    _read_arrays(kwds, found)
    found.say_rest(kwds, _KNOWN, of="data_source.")


def _read_weeks(kwds: Section, found: Found) -> None:
    first, last, *step = found.whole_numbers(kwds, "slice_timestamps")
    line = kwds.lines["slice_timestamps"]
    found.set("weeks", (first, last), line)
    found.set("history_weeks", min(max(last - first, 0), MOST_HISTORY), line)
    found.say(line, f"`slice_timestamps` counts places in an array there: read as the ISO weeks {first} to {last}")
    if step not in ([], [1]):
        found.say_without("slice_timestamps[2]", line, "all weeks between the first and the last are used")


def _read_split(kwds: Section, found: Found) -> None:
    tested, trained = (f"split_{part}_index_array" for part in ("test", "train"))
    if kwds.get(tested) is not None:
        line = kwds.lines[tested]
        found.set("validation_percent", VALIDATION_PERCENT, line)
        found.say_without(
            tested, line, f"{VALIDATION_PERCENT:g} % of the training pixels are validated on, in whole blocks"
        )
        if kwds[tested] == kwds.get(trained):
            found.say(line, "it validates on what it trains on, which tells nothing: blocks are kept apart here")
    if kwds.get(trained) is not None:
        found.say_without(trained, kwds.lines[trained], "blocks are dealt by `seed`; a hold-out is kept for the score")


def _read_arrays(kwds: Section, found: Found) -> None:
    for part in ("inputs", "targets"):
        named = kwds.get(part)
        if not isinstance(named, Section):
            continue
        for name, said in named.items():
            section = said if isinstance(said, Section) else Section()
            why = "data and labels come from the cube"
            if "presence" in str(section.get("component", said)):
                why = "whether a pixel is observed is always an input"
            found.say_without(f"{part}.{name}", named.lines[name], why)
            found.say_rest(section, ("component",), of=f"{part}.{name}.")


def read_mapping(kwds: Section, found: Found) -> None:
    """Read which bands `mapping` puts into the network."""
    bands = {band.partition("_")[0] for band in _bands_of(kwds["mapping"])}
    alone = bool(bands) and bands <= BANDS_10M
    line = kwds.lines["mapping"]
    found.set("inputs", ("msi_10m",) if alone else DEFAULT_INPUTS, line)
    seen = "the four bands of 10 m" if alone else "all ten bands"
    found.say(line, f"`mapping` names files and their order there: here networks see {seen} of the cube")


def _bands_of(mapping: Any) -> list[str]:
    inputs = mapping.get("inputs") if isinstance(mapping, Section) else None
    parts = list(inputs.values()) if isinstance(inputs, Section) else [inputs]
    bands = []
    for part in parts:
        channels = part.get("channels") if isinstance(part, Section) else part
        for channel in channels if isinstance(channels, list) else []:
            first = channel[0] if isinstance(channel, list) and channel else channel
            bands.append(str(channel.get("type") if isinstance(channel, Section) else first))
    return bands
