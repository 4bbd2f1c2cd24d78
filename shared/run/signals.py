"""How processes hear that they are to end, and end together."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from queue import SimpleQueue
from threading import Event, Thread

from shared.observe.failpoint import armed

_PR_SET_PDEATHSIG = 1


def stop_on_signals(stop: Event | None = None) -> Event:
    """Return an event that SIGTERM and SIGINT set; the first one, so that work can be put away.

    Args:
        stop: the event; a new one where none is given.
    """
    event = stop or Event()
    # A handler interrupts the main thread anywhere, also where it holds the event's lock: as it waits, or in the
    # handler of the signal before. To set the event there would be to wait for ever. A put takes no lock.
    received: SimpleQueue[int] = SimpleQueue()

    def pass_on() -> None:
        received.get()
        event.set()

    Thread(target=pass_on, name="signals", daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: received.put(number))
    return event


def leave_stopping_to_parent() -> None:
    """Take no notice of SIGTERM and SIGINT: Ctrl-C goes to the whole group, and the parent decides when this ends."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def die_with_parent(parent: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Take a signal when the parent dies, also if it is dead already: an orphan would go on committing.

    Linux sends it at once. Other systems have no such call: there a thread looks every second.

    Args:
        parent: the parent's process id.
        number: the signal.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
    else:
        watch_parent(parent, number)
    if os.getppid() != parent:
        os.kill(os.getpid(), number)


def watch_parent(parent: int, number: signal.Signals, every_s: float = 1.0) -> None:
    """Look from a thread whether the parent lives; send this process a signal once it does not."""

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(every_s)
        os.kill(os.getpid(), number)

    Thread(target=look, name="parent", daemon=True).start()


def lead_group_if_armed() -> None:
    """Become the leader of a process group where a failpoint is armed, which ends its whole group and nothing else."""
    if armed() and os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
