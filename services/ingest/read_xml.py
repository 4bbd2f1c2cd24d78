"""ESA's XML by local names: namespaces differ between PSD versions, and some children carry none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import parse as parse_defused

from services.ingest.refuse import DELIVER_AGAIN
from shared.stage import RejectScene

MAX_BYTES = 64 << 20
MOST_DIGITS = 16


class NotXml(RejectScene):
    """Raised when a file is empty or no well-formed XML: it may have been read while it was written."""


def parse(path: Path) -> Element:
    """Parse an XML file, without entities or a document type, and return its root.

    Raises:
        NotXml: empty, or not well-formed.
        RejectScene: too large, or it declares entities.
    """
    size = path.stat().st_size
    if size == 0:
        raise NotXml(path.name, "is empty (0 bytes)", DELIVER_AGAIN)
    if size > MAX_BYTES:
        raise RejectScene(path.name, f"has {size} bytes, more than {MAX_BYTES}", DELIVER_AGAIN)
    try:
        root = parse_defused(path, forbid_dtd=True).getroot()
    except DefusedXmlException as error:
        fault = f"declares entities or a document type ({type(error).__name__})"
        raise RejectScene(path.name, fault, DELIVER_AGAIN) from error
    except (ParseError, ValueError, LookupError) as error:
        raise NotXml(path.name, f"is not XML ({error})", DELIVER_AGAIN) from error
    if root is None:
        raise NotXml(path.name, "is not XML (no root element)", DELIVER_AGAIN)
    return root


def local(element: Element) -> str:
    """Return an element's name without namespace."""
    return str(element.tag).rsplit("}", 1)[-1]


def all_below(element: Element, name: str) -> Iterator[Element]:
    """Every descendant of a local name, in document order."""
    return (e for e in element.iter() if local(e) == name)


def attribute(element: Element, name: str) -> str:
    """Return an attribute's text, or empty."""
    return element.get(name, "").strip()


def find(element: Element, path: str) -> Element | None:
    """Return the first element at a path of local names below an element."""
    head, _, rest = path.partition("/")
    for child in element:
        if local(child) == head:
            found = find(child, rest) if rest else child
            if found is not None:
                return found
    return None


def text(element: Element, path: str, file: str) -> str:
    """Return the text at a path of local names.

    Raises:
        RejectScene: `file` lacks it.
    """
    found = find(element, path)
    value = (found.text or "").strip() if found is not None else ""
    if not value:
        raise RejectScene(file, f"lacks {path}", DELIVER_AGAIN)
    return value


def number(element: Element, path: str, file: str) -> float:
    """Return the number at a path of local names.

    Raises:
        RejectScene: `file` lacks it, or it is not a finite number.
    """
    value = text(element, path, file)
    return parse_number(value, path, file)


def parse_number(value: str, what: str, file: str) -> float:
    """Read a finite number.

    Raises:
        RejectScene: it is not a finite number.
    """
    try:
        result = float(value)
    except ValueError:
        result = float("nan")
    if not abs(result) < 1e18:
        raise RejectScene(file, f"gives {value[:40]!r} as {what}", DELIVER_AGAIN)
    return result


def to_int(value: str) -> int | None:
    """Read a whole number as metadata write it; None for anything else, other scripts' and endless digits too."""
    return int(value) if value.isascii() and value.isdigit() and len(value) < MOST_DIGITS else None
