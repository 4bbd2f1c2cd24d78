"""What crosses between a runner and its worker comes out as it went in."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.items.landing import LandingObject, LandingUnit
from shared.run.outcome import (
    Answer,
    Done,
    Failed,
    Kept,
    Later,
    Progress,
    Rejected,
    Remark,
    outcome_of,
    utf8_text,
)
from shared.run.wire import TaskMessage, hear, receive, receive_task, say, send, send_task
from shared.stage import Job, NewAsset, NewItem, RejectScene, Source
from shared.stage.source import LandingSource
from tests.catalogues import AREA, make, scene

Channel = tuple[socket.socket, socket.socket]


@pytest.fixture
def channel() -> Iterator[Channel]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


SCENE = scene("a", 500, offsets={"B02": -1000})
MASK = make("cloud-masks", "a", [SCENE], shares={"clear": 0.25}, none=None)
UNIT = LandingUnit("clc ő.gpkg", (LandingObject("", 7, '"e"'),), modified_s=12.5, patience_s=3600.0)
RESULT = NewItem(
    {"type": "Point", "coordinates": [24.0, 46.0]},
    (24.0, 46.0, 24.0, 46.0),
    {"datetime": None, "n": 1, "f": 0.1, "list": [[1, "a"], None]},
    {"mask": NewAsset(Path("/w/out/mask.tif"), "image/tiff", ("data",), "Mask", {"proj:shape": [1, 2]}),
     "mask_aux": NewAsset(Path("/w/out/mask.tif.aux.xml"), "text/xml", beside="mask")},
    collection="cloud-masks", product="a", week="2018-W23", extensions=("https://x/v1",),
)  # fmt: skip


def test_a_task_comes_back_equal(channel: Channel) -> None:
    job = Job(
        "cube-updates", "a", "2018-W23", (Source(MASK, ("mask",)), Source(SCENE)), {"thin": True, "n": None},
        context=(Source(SCENE, ()),), notes={"rank": [1, "x"]},
    )  # fmt: skip
    paths = ({"mask": Path("/w/in0/mask.tif")}, {"B02_10m": Path("/w/in1/B02_10m.jp2")}, {})
    sent = TaskMessage(job, paths, AREA, Path("/w/out"), "s3://bucket/cube", Path("/w/kept"))
    send_task(channel[0], sent)
    assert receive_task(channel[1]) == sent
    of_unit = TaskMessage(Job("", "", "", delivery=LandingSource(UNIT)), ({},), AREA, Path("/w/out"), None)
    send_task(channel[0], of_unit)
    assert receive_task(channel[1]) == of_unit


@pytest.mark.parametrize(
    "said",
    [Done(RESULT), Later("not yet"), Rejected("f", "fault", "remedy", True, "m.E", "trace"), Rejected("f", "x", "y"),
     Failed("m.E", "message", "trace"), Progress(3, 21), Progress(3, 21, "epochs", 0.1, 0.2), Kept(Path("/w/out/c-1"))],
    ids=lambda said: said.kind,
)  # fmt: skip
def test_an_answer_comes_back_equal(said: Answer | Remark, channel: Channel) -> None:
    say(channel[0], said)
    assert hear(channel[1]) == said


@given(st.text(st.characters(), max_size=50))
def test_any_text_of_an_exception_crosses(text: str) -> None:
    """Names in archives may hold lone surrogates; a fault names them."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        answer = outcome_of(RejectScene(f"{text}\udcff", text, text))
        say(ours, answer)
        heard = hear(theirs)
    assert heard == answer
    assert isinstance(heard, Rejected)
    assert heard.file.endswith("\\udcff")


def test_names_that_utf8_cannot_hold_are_written_out(channel: Channel) -> None:
    """A worker says what it read in a product; what it says must not end it."""
    torn = replace(RESULT, properties={**RESULT.properties, "member\udcff": ["\ud800.shp", {"n": float("nan")}]})
    say(channel[0], Done(torn))
    whole = replace(RESULT, properties={**RESULT.properties, "member\\udcff": ["\\ud800.shp", {"n": None}]})
    assert hear(channel[1]) == Done(whole)
    say(channel[0], Later("\udcff"))
    assert hear(channel[1]) == Later("\\udcff")


@given(st.text(st.characters(), max_size=50))
def test_text_that_utf8_can_hold_crosses_as_it_is(text: str) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        say(ours, Done(replace(RESULT, properties={"t": text, "lone": "\udcff"})))
        heard = hear(theirs)
    assert isinstance(heard, Done)
    assert heard.result.properties == {"t": utf8_text(text), "lone": "\\udcff"}


def test_messages_are_kept_apart_whatever_their_length(channel: Channel) -> None:
    messages = [b"", b"x", b"y" * 3_000_000, b"z"]
    writer = Thread(target=lambda: [send(channel[0], m) for m in messages])
    writer.start()
    assert [receive(channel[1]) for _ in messages] == messages
    writer.join()


@pytest.mark.parametrize("sent", [b"", b"\0\0", b"\0\0\0\x09{}"], ids=["nothing", "half a header", "half a message"])
def test_a_cut_channel_is_the_end(sent: bytes, channel: Channel) -> None:
    channel[0].sendall(sent)
    channel[0].close()
    assert hear(channel[1]) is None


def test_a_reset_channel_is_the_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    with theirs:
        # Closed with unread data and without lingering: the other side is told by an error, not by an end.
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        ours.close()
        assert receive_task(theirs) is None


def test_a_loss_that_is_no_number_is_none(channel: Channel) -> None:
    say(channel[0], Progress(1, 2, "epochs", float("nan"), float("inf")))
    assert hear(channel[1]) == Progress(1, 2, "epochs")


def test_nothing_executable_crosses(channel: Channel) -> None:
    task = TaskMessage(Job("c", "a", "2018-W23"), (), AREA, Path("/w"), None)
    send_task(channel[0], task)
    data = receive(channel[1])
    assert data is not None
    assert json.loads(data)["job"]["product"] == "a"
    assert replace(task, cube="x") != task
