"""A stage for the runner's tests: `process` does what the item's property `do` says."""

from __future__ import annotations

import errno
import os
import signal
import time

from shared.items.item import Item
from shared.stage import BrokenPicture, Collection, Job, NewAsset, NewItem, RejectScene, RetryLater, Source, Stage, Task


def plan(item: Item, catalogue, area, settings) -> list[Job]:
    return [Job("cloud-masks", item.product, item.week, (Source(item),))]


def process(task: Task) -> NewItem:
    item = task.inputs[0].item
    do = item.properties["do"]
    marks = task.folder.parent.parent.parent / "attempts"
    with marks.open("a") as file:
        file.write(item.product + "\n")
    attempts = marks.read_text().split().count(item.product)
    if do == "reject":
        raise RejectScene("B02.jp2", "is torn", "deliver it again")
    if do == "later" or (do == "later-once" and attempts == 1):
        raise RetryLater("the world is not ready")
    if do == "torn":
        raise BrokenPicture("B02.jp2", "cannot be decoded", "deliver it again")
    if do == "fail" or (do == "fail-once" and attempts == 1):
        raise KeyError("surprise")
    if do == "full" and attempts == 1:
        raise RejectScene("a.zip", "cannot be unpacked", "deliver it again") from OSError(errno.ENOSPC, "no space")
    if do == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if do == "hang":
        time.sleep(60)
    if do == "eat":
        ballast = bytearray(800 << 20)
        ballast[::4096] = b"x" * len(ballast[::4096])
        time.sleep(60)
    if do == "escape":
        return result(item, task.folder.parent / "outside.txt", "x")
    text = task.inputs[0].paths["data"].read_text() if task.inputs[0].paths else do
    return result(item, task.folder / "out.txt", text.upper())


def result(item: Item, path, text: str) -> NewItem:
    path.write_text(text)
    properties = {"datetime": item.properties["datetime"]}
    return NewItem(item.json["geometry"], (0, 0, 1, 1), properties, {"text": NewAsset(path, "text/plain")})


STAGE = Stage(
    "fake",
    1,
    ("sentinel-2-l2a",),
    (Collection("cloud-masks", "Masks", "Made by a test."),),
    plan,
    f"{__name__}:process",
    timeout_s=12,
    memory_mb=600,
)
