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
    if do in {"keep", "keep-fail"}:
        return keep(task, attempts, do)
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


def keep(task: Task, attempts: int, do: str) -> NewItem:
    """Keep two files, then die or fail; the next attempt says what it was given."""
    given = task.scratch.kept.read_text() if task.scratch.kept else "nothing"
    if attempts == 1:
        for n in (1, 2):
            path = task.folder / f"kept-{n}"
            path.write_text(f"state {n}")
            task.scratch.keep(path)
        task.scratch.keep(task.folder.parent / "in0" / "data.txt")  # not below the folder: left alone
        task.progress(1, 4, "epochs", loss=0.5)
        if do == "keep-fail":
            raise KeyError("surprise")
        os.kill(os.getpid(), signal.SIGKILL)
    task.progress(3, 4, "epochs", loss=0.25, validation=float("nan"))
    return result(task.inputs[0].item, task.folder / "out.txt", given)


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
    checkpoints=True,
    timeout_s=12,
    memory_mb=600,
)
