"""What is written to logs."""

from __future__ import annotations

import logging

from shared.observe.logs import MOST_KEPT, SELDOM_S, Seldom


def record(name: str, message: str, *about: object) -> logging.LogRecord:
    return logging.LogRecord(name, logging.WARNING, "", 0, message, about, None)


def test_a_library_says_the_same_once_a_minute() -> None:
    now = [1000.0]
    seldom = Seldom(lambda: now[0])
    assert seldom.filter(record("kafka.client", "No node %s", 1))
    assert not seldom.filter(record("kafka.client", "No node %s", 2)), "whatever it is about"
    assert seldom.filter(record("kafka.client", "Closing %s", 1))
    assert seldom.filter(record("boto3", "No node %s", 1))
    now[0] += SELDOM_S
    assert seldom.filter(record("kafka.client", "No node %s", 1))


def test_a_template_without_a_word_is_told_by_what_it_is_about() -> None:
    seldom = Seldom(lambda: 0.0)
    assert seldom.filter(record("py.warnings", "%s", "one thing"))
    assert seldom.filter(record("py.warnings", "%s", "another"))
    assert not seldom.filter(record("py.warnings", "%s", "another"))


def test_messages_that_are_all_different_take_no_memory() -> None:
    seldom = Seldom(lambda: 0.0)
    assert all(seldom.filter(record("a", f"message {n}")) for n in range(3 * MOST_KEPT))
    assert len(seldom._said) <= MOST_KEPT
