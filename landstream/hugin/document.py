"""Hugin's YAML as data: tags that would import and run something elsewhere are names here, and only known ones."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from landstream.hugin.names import CALLS, NAMES, plain_name

MAX_FILE_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 32
MAX_VALUES: Final = 10_000
"""Values of a file, those behind aliases counted each time: Hugin's own files have a few hundred."""
MAX_ALIASES: Final = 200
MAX_NUMBER: Final = 64
"""Characters of a number."""

_APPLY: Final = "tag:yaml.org,2002:python/object/apply:"
_NAME: Final = "tag:yaml.org,2002:python/name:"
_TUPLE: Final = "tag:yaml.org,2002:python/tuple"
_CORE: Final = "tag:yaml.org,2002:"
_MERGE: Final = f"{_CORE}merge"


class HuginError(ValueError):
    """Raised when a file cannot be read as one of Hugin's; the message names file, line, fault and remedy."""


class Section(dict[str, Any]):
    """A mapping of the file.

    Attributes:
        lines: 1-based line of each key.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[str, int] = {}


@dataclass(frozen=True)
class Call:
    """What Hugin would call; nothing does here.

    Attributes:
        name: `keras.optimizers.Adam`, `hugin.engine.keras.KerasModel`.
        kwds: its keyword arguments.
        line: 1-based, of the tag.
    """

    name: str
    kwds: Section
    line: int


@dataclass(frozen=True)
class Name:
    """What Hugin would import; nothing does here.

    Attributes:
        name: `hugin.tools.utils.dice_coef`.
    """

    name: str


def read_document(path: Path) -> Section:
    """Read a file of Hugin's as data. Nothing in it is imported, called or opened.

    Args:
        path: the file.

    Returns:
        Its mapping: text, numbers, booleans, None, lists, `Section`, `Call` and `Name`.

    Raises:
        HuginError: unreadable, too large or too deep, not YAML, a tag that no file of Hugin's has, a key twice.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise HuginError(f"{path}: cannot be read ({error.strerror}); give the path of a file of Hugin's") from error
    if len(data) > MAX_FILE_BYTES:
        raise HuginError(f"{path}: larger than {MAX_FILE_BYTES} bytes; this is not a training file")
    try:
        return _Reader(path).read(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise HuginError(f"{path}: not UTF-8; write it as such") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = " ".join(str(getattr(error, "problem", None) or error).split())
        raise HuginError(f"{path}{line}: not YAML ({problem[:120]}); mend the line") from error


class _Limit(yaml.YAMLError):
    """Raised for a file that is too deep, or has too many aliases."""

    def __init__(self, problem: str, event: yaml.Event) -> None:
        super().__init__(problem)
        self.problem, self.problem_mark = problem, event.start_mark


class _Composer(yaml.SafeLoader):
    """Builds the tree of nodes, of limited depth and with few aliases; nothing is constructed by PyYAML."""

    depth = aliases = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose a node, unless it lies too deep."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            self.aliases += 1
            if self.aliases > MAX_ALIASES:
                raise _Limit(f"more than {MAX_ALIASES} aliases", event)
        if self.depth == MAX_DEPTH:
            raise _Limit(f"deeper than {MAX_DEPTH} levels", event)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


class _Reader:
    """Turns nodes into data.

    Args:
        path: the file, for messages.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._values = self._depth = 0

    def read(self, text: str) -> Section:
        loader = _Composer(text)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
        if not isinstance(node, yaml.MappingNode) or node.tag != f"{_CORE}map":
            raise HuginError(f"{self._path}:1: a training file of Hugin's is a mapping; it has the key `trainer`")
        return self._section(node)

    def _fail(self, node: yaml.Node, fault: str, remedy: str) -> HuginError:
        return HuginError(f"{self._path}:{_line(node)}: {fault}; {remedy}")

    def _value(self, node: yaml.Node) -> Any:
        """Return the data of a node; what aliases name is read anew, and counted, each time."""
        self._values += 1
        if self._values > MAX_VALUES or self._depth == MAX_DEPTH:
            fault = f"more than {MAX_VALUES} values, or {MAX_DEPTH} levels, behind aliases"
            raise self._fail(node, fault, "write them out")
        self._depth += 1
        try:
            return self._content(node)
        finally:
            self._depth -= 1

    def _content(self, node: yaml.Node) -> Any:
        if node.tag.startswith(_APPLY):
            return self._call(node, node.tag.removeprefix(_APPLY))
        if node.tag.startswith(_NAME):
            return self._name(node, node.tag.removeprefix(_NAME))
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_CORE}map":
            return self._section(node)
        if isinstance(node, yaml.SequenceNode) and node.tag in (f"{_CORE}seq", _TUPLE):
            return [self._value(part) for part in node.value]
        if isinstance(node, yaml.ScalarNode) and node.tag in _SCALARS:
            return self._scalar(node)
        raise self._fail(node, f"the tag {_shown(node.tag)} is none of Hugin's", "remove it")

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        convert = _SCALARS[node.tag]
        if convert in (_integer, _number) and len(node.value) > MAX_NUMBER:
            raise self._fail(node, f"a number of {len(node.value)} characters", "write a shorter one")
        try:
            return convert(node.value)
        except (ValueError, KeyError):
            raise self._fail(node, f"{node.value[:40]!r} is not a finite number nor true or false", "mend it") from None

    def _call(self, node: yaml.Node, given: str) -> Call:
        name = self._known(node, given, CALLS)
        if not isinstance(node, yaml.MappingNode):
            raise self._fail(node, f"{name} has arguments without names", "write them below `kwds`")
        parts = self._section(node)
        odd = [key for key in parts if key != "kwds" and not (key == "args" and parts[key] == [])]
        if odd:
            raise self._fail(node, f"{name} has `{odd[0][:40]}` beside `kwds`", "write all arguments below `kwds`")
        kwds = parts.get("kwds", Section())
        if not isinstance(kwds, Section):
            raise self._fail(node, f"`kwds` of {name} is no mapping", "write its arguments as keys")
        return Call(name, kwds, _line(node))

    def _name(self, node: yaml.Node, given: str) -> Name:
        name = self._known(node, given, NAMES)
        if not isinstance(node, yaml.ScalarNode) or node.value:
            raise self._fail(node, f"something stands behind the name {name}", "remove it")
        return Name(name)

    def _known(self, node: yaml.Node, given: str, known: frozenset[str]) -> str:
        name = plain_name(given)
        if name not in known:
            raise self._fail(node, f"{_shown(given)} is not a name that Hugin's files are read with", "remove it")
        return name

    def _section(self, node: yaml.MappingNode) -> Section:
        """Return a mapping; keys of its own come before those that it merges, as everywhere in YAML."""
        section, merged = Section(), list[Section]()
        for key, value in node.value:
            if key.tag == _MERGE:
                merged += self._merged(value)
                continue
            if not isinstance(key, yaml.ScalarNode) or key.tag != f"{_CORE}str":
                raise self._fail(key, "a key is no text", "write it in quotes")
            if key.value in section:
                raise self._fail(key, f"the key `{key.value[:40]}` stands twice", "remove one")
            section[key.value] = self._value(value)
            section.lines[key.value] = _line(key)
        for other in merged:
            for name in [name for name in other if name not in section]:
                section[name], section.lines[name] = other[name], other.lines[name]
        return section

    def _merged(self, node: yaml.Node) -> list[Section]:
        parts = [self._value(node)] if isinstance(node, yaml.MappingNode) else []
        if isinstance(node, yaml.SequenceNode):
            parts = [self._value(part) for part in node.value]
        if not parts or not all(isinstance(part, Section) for part in parts):
            raise self._fail(node, "`<<` merges something that is no mapping", "name a mapping by its alias")
        return parts


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _shown(tag: str) -> str:
    return repr(tag.replace(_CORE, "!!")[:80])


def _integer(text: str) -> int:
    return int(text.replace("_", ""), 10)


def _number(text: str) -> float:
    value = float(text.replace("_", ""))
    if not math.isfinite(value):
        raise ValueError("not finite")
    return value


def _boolean(text: str) -> bool:
    return _BOOLEANS[text.lower()]


_BOOLEANS: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("yes", "true", "on"), True),
    **dict.fromkeys(("no", "false", "off"), False),
}


def _nothing(text: str) -> None:
    if not re.fullmatch(r"~|null|Null|NULL|", text):
        raise ValueError("not null")


_SCALARS: Final[Mapping[str, Callable[[str], Any]]] = {
    f"{_CORE}str": str,
    f"{_CORE}timestamp": str,  # a name that looks like a date
    f"{_CORE}int": _integer,
    f"{_CORE}float": _number,
    f"{_CORE}bool": _boolean,
    f"{_CORE}null": _nothing,
}
"""Tag -> what its text says; all others are refused."""
