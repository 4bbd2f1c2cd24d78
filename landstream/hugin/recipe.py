"""Hugin's training file as training settings, and a line for each key that has no counterpart."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from pydantic import ValidationError

from landstream.hugin.document import HuginError, Section, read_document
from landstream.hugin.model import read_model
from landstream.hugin.names import LOADERS, MODELS, TRAINERS
from landstream.hugin.reading import Found
from landstream.hugin.source import VALIDATION_PERCENT, read_mapping, read_source
from shared.area.training import WINDOW_PX, TrainingSettings

_WATCHERS: Final = ("keep_best", "early_stop_patience", "schedule")
_OF_THE_FILE: Final = {
    "configuration": "a model is named after its area, and lies in the store",
    "predictor": "`inference` draws the maps",
    "output": "`inference` draws the maps",
}


class Reading(NamedTuple):
    """What a file of Hugin's says.

    Attributes:
        settings: the training settings that it asks for.
        lines: for people: file, line, and what has no counterpart or means something else here.
    """

    settings: TrainingSettings
    lines: list[str]


def read_hugin(path: Path) -> Reading:
    """Read a training file of Hugin's. Nothing in it is imported, called or opened.

    Raises:
        HuginError: it is none, or has a value that no training can have; the message names file, line and remedy.
    """
    document, found = read_document(path), Found(path)
    trainer = found.call(document, "trainer", TRAINERS).kwds
    model = found.call(trainer, "model", MODELS).kwds
    if "data_source" in document:
        read_source(found.call(document, "data_source", LOADERS), found)
    _read_trainer(trainer, found)
    read_model(model, found)
    for key, line in document.lines.items():
        if key not in ("trainer", "data_source") and not _holds_anchors(key):
            found.say_without(key, line, _OF_THE_FILE.get(key))
    _complete(trainer.lines["model"], found)
    return Reading(_settings(path, found), found.lines())


def _holds_anchors(key: str) -> bool:
    """Whether a part is there for aliases, which have put it where it counts."""
    return key == "definitions" or key.endswith("_config")


def _read_trainer(kwds: Section, found: Found) -> None:
    if "window_size" in kwds:
        side, line = found.whole_numbers(kwds, "window_size")[0], kwds.lines["window_size"]
        found.set("patch_px", min(side, WINDOW_PX), line)
        if side > WINDOW_PX:
            found.say(line, f"`window_size` is {WINDOW_PX} px here at most: a block of 1.28 km with its surroundings")
    if "mapping" in kwds:
        read_mapping(kwds, found)
    found.say_rest(kwds, ("name", "model", "window_size", "mapping"), of="trainer.")


def _complete(line: int, found: Found) -> None:
    """Set what Hugin does without a word."""
    for name in ("flips", "rotations"):
        found.set(name, False, line)
    watching = [name for name in _WATCHERS if found.settings.get(name)]
    if watching and not found.settings.get("validation_percent"):
        found.set("validation_percent", VALIDATION_PERCENT, found.line_of(watching[0]))
        share = f"{VALIDATION_PERCENT:g} % of the training pixels"
        found.say(
            found.line_of(watching[0]), f"what it validates on is not said: {share} are kept back, in whole blocks"
        )
    if "schedule" not in found.settings:
        found.say(line, "the learning rate stays as it is there: here it falls along a cosine")


def _settings(path: Path, found: Found) -> TrainingSettings:
    try:
        return TrainingSettings.model_validate(found.settings)
    except ValidationError as error:
        first = error.errors()[0]
        message = first["msg"].removeprefix("Value error, ")
        name = str(first["loc"][0]) if first["loc"] else message.partition(" ")[0]
        raise HuginError(f"{path}:{found.line_of(name)}: {name}: {message}; mend the value") from error
