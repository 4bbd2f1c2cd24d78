"""JSON logs, one object per line, to standard error or to a file."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TextIO, cast

import structlog

SELDOM_S = 60.0
"""Seconds in which a library says the same once: Kafka's client says several times a second that no broker is there."""

MOST_KEPT = 1000
_WORD = re.compile(r"(?<![%\w])\w{3}")


class Seldom(logging.Filter):
    """Lets each message of a library through once a minute, whatever it is about.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock, self._said = clock, dict[tuple[str, str], float]()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the message was not said within the last minute."""
        template = str(record.msg)
        # A template without a word of its own says nothing of what it is about.
        said, now = (record.name, template if _WORD.search(template) else record.getMessage()), self._clock()
        if now - self._said.get(said, -SELDOM_S) < SELDOM_S:
            return False
        if len(self._said) >= MOST_KEPT:  # messages that hold what they are about are all different
            self._said.clear()
        self._said[said] = now
        return True


class LogStream(Protocol):
    """What logs can be written to."""

    def write(self, text: str, /) -> int:
        """Append text."""

    def flush(self) -> None:
        """Make what was written last."""


class LogFile:
    """A log that is appended to a file; what a full disk does not take is counted, and said when there is room again.

    Args:
        path: the file, made if absent.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._lost = 0

    def __enter__(self) -> LogFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, text: str) -> int:
        """Append text."""
        try:
            if self._lost:
                self._file.write(f'{{"event": "lines were lost on a full disk", "lines": {self._lost}}}\n'.encode())
                self._lost = 0
            self._file.write(text.encode("utf-8", "backslashreplace"))
        except OSError:
            self._lost += 1
        return len(text)

    def flush(self) -> None:
        """Do nothing: nothing is kept back."""


def configure_logs(stream: LogStream, level: str = "info") -> None:
    """Send all logs as JSON lines to `stream`, those of libraries from warning on."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_logger_name,
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    handler.addFilter(Seldom())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    # It warns about each step of its loop that takes a tenth of a second, as on any busy machine.
    logging.getLogger("kafka.net.selector").setLevel(logging.ERROR)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, stream)),  # it writes and flushes, no more
        cache_logger_on_first_use=False,
    )


def get_logger(**context: Any) -> Any:
    """Return a structlog logger with bound context."""
    return structlog.get_logger().bind(**context)
