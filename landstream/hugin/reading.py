"""What is found while a file of Hugin's is read: settings, where they come from, and lines for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from landstream.hugin.document import Call, HuginError, Name, Section

_WITHOUT: Final[Mapping[str, str]] = {
    "class_weight": "`class_weights: balanced` in an area file weighs classes by their pixels",
    "class_weights": "`class_weights: balanced` in an area file weighs classes by their pixels",
    "dask_chunk_size": "the cube has chunks of its own",
    "destination": "models lie in the store",
    "enable_multi_gpu": "a training is one process on the CPU",
    "format_converter": "labels are the raster values of the label scheme",
    "input_source": "data comes from the cube",
    "max_queue_size": "windows are kept in memory",
    "maximum_training_samples": "the trainer draws windows down by itself",
    "maximum_validation_samples": "the trainer draws windows down by itself",
    "model_builder_options": "classes are those of the label scheme, channels are `filters`",
    "model_path": "models lie in the store",
    "num_gpus": "a training is one process on the CPU",
    "randomise": "patches are always drawn by chance",
    "sample_reshape": "shapes are fixed; Hugin itself divides by zero there",
    "source": "data comes from the cube",
    "standardizers": "bands are standardised by the training pixels",
    "stride_size": "patches are cut anywhere",
    "swap_axes": "the order of axes is fixed",
    "use_multiprocessing": "windows are kept in memory",
    "use_tpu": "a training is one process on the CPU",
    "validation_source": "validation blocks come from the cube",
    "verbose": "progress is always told",
    "workers": "windows are kept in memory",
}
"""Key -> why it has no counterpart."""


class Found:
    """Gathers what a file says.

    Args:
        path: the file, for messages.

    Attributes:
        settings: field of the training settings -> value.
    """

    def __init__(self, path: Path) -> None:
        self.settings: dict[str, Any] = {}
        self._path = path
        self._said: list[tuple[int, str]] = []
        self._line_of: dict[str, int] = {}

    def set(self, name: str, value: Any, line: int) -> None:
        """Set a field that a line of the file asks for."""
        self.settings[name], self._line_of[name] = value, line

    def line_of(self, name: str) -> int:
        """Return the line that asked for a field; the first where none did."""
        return self._line_of.get(name, 1)

    def say(self, line: int, text: str) -> None:
        """Say something of a line of the file."""
        self._said.append((line, f"{self._path}:{line}: {text}"))

    def lines(self) -> list[str]:
        """Return what was said, in the order of the file."""
        return [text for _, text in sorted(self._said, key=lambda said: said[0])]

    def say_without(self, key: str, line: int, why: str | None = None) -> None:
        """Say that a key has no counterpart, and why."""
        why = why or _WITHOUT.get(key.rpartition(".")[2], "Landstream does not know it")
        self.say(line, f"`{key[:80]}` has no counterpart: {why}")

    def say_rest(
        self, section: Section, known: Iterable[str], fixed: Mapping[str, Any] | None = None, of: str = ""
    ) -> None:
        """Say of each key that has no counterpart, but for those that are known.

        Args:
            section: a mapping of the file.
            known: keys that were read.
            fixed: key -> the value that it always has here; the same value needs no word.
            of: what to call the mapping, with a dot behind it.
        """
        for key, line in section.lines.items():
            if key in known:
                continue
            if fixed is None or key not in fixed:
                self.say_without(f"{of}{key}", line)
            elif section[key] != fixed[key] and _number_of(section[key]) != fixed[key]:
                self.say(line, f"`{of}{key}` has no counterpart: it is always {fixed[key]} here")

    def fail(self, line: int, fault: str, remedy: str) -> HuginError:
        """Return the error of a line."""
        return HuginError(f"{self._path}:{line}: {fault}; {remedy}")

    def call(self, section: Section, key: str, known: frozenset[str]) -> Call:
        """Return what stands behind a key, one of some known calls.

        Raises:
            HuginError: it is none.
        """
        value = section.get(key)
        if not isinstance(value, Call) or value.name not in known:
            kinds = " or ".join(sorted(name.rpartition(".")[2] for name in known))
            raise self.fail(section.lines.get(key, 1), f"`{key}` is no {kinds}", "give a training file of Hugin's")
        return value

    def number(self, section: Section, key: str) -> float:
        """Return the number behind a key; YAML takes `1e-3` for a text.

        Raises:
            HuginError: it is none.
        """
        value = _number_of(section[key])
        if value is None:
            raise self.fail(section.lines[key], f"`{key}` is no number", "mend it")
        return value

    def count(self, section: Section, key: str) -> int:
        """Return the whole number behind a key.

        Raises:
            HuginError: it is none.
        """
        value = self.number(section, key)
        if not value.is_integer():
            raise self.fail(section.lines[key], f"`{key}` is no whole number", "mend it")
        return int(value)

    def whole_numbers(self, section: Section, key: str) -> list[int]:
        """Return the list of whole numbers behind a key.

        Raises:
            HuginError: it is none.
        """
        value = section[key]
        if not isinstance(value, list) or len(value) < 2 or not all(type(part) is int for part in value):
            raise self.fail(section.lines[key], f"`{key}` is no list of two whole numbers or more", "mend it")
        return value

    def parts(self, section: Section, key: str) -> list[Any]:
        """Return the list behind a key; empty where there is none.

        Raises:
            HuginError: it is no list.
        """
        value = section.get(key)
        if value is not None and not isinstance(value, list):
            raise self.fail(section.lines[key], f"`{key}` is no list", "mend it")
        return value or []


def name_of(value: Any) -> str:
    """Return what something is called: a text, or the name behind a tag; empty where it is nothing."""
    if isinstance(value, Call | Name):
        return value.name
    return value if isinstance(value, str) else ""


def _number_of(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < float("inf") else None
