"""Everyday mistakes and what Landstream says of each: `python -m tests.docs.mistakes` writes docs/mistakes.md.

Each command is run in a folder of its own, as a person would; only paths of this machine and amounts of space differ
from what is written down.
"""

from __future__ import annotations

import io
import json
import logging
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import numpy as np
import rasterio
import structlog

from landstream import cli
from landstream.workspace import bind
from services.trainer.item import describe_signature
from shared.area import load_area
from shared.store import FolderStore
from tests.conftest import AREAS, ROOT

PAGE = ROOT / "docs" / "mistakes.md"
NOWHERE = "http://127.0.0.1:9"
"""The port of "discard", on which nobody listens."""

TAKEN = 18500

KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
AWAY = {"LANDSTREAM_S3": NOWHERE, "LANDSTREAM_S3_TRIES": "1"}
PRODUCT = "S2A_MSIL2A_20180605T092031_N0500_R093_T34TGR_20230601T120000"
HEAD = """\
# Everyday mistakes

What Landstream says when something is wrong: one line that names the file or the option, what is wrong, and what to
do. Exit code 2: the command could not be carried out; 1: it had to stop, and the same line goes on once that is mended.
Written by `python -m tests.docs.mistakes`, and compared by the tests.
"""


@dataclass(frozen=True)
class Mistake:
    """One mistake.

    Attributes:
        title: what somebody did.
        command: the arguments of `landstream`.
        prepare: makes what is needed in the folder; what it returns, if anything, holds while the mistake is made.
        environment: beside what every mistake has.
    """

    title: str
    command: str
    prepare: Callable[[Path], AbstractContextManager[object] | None] = lambda folder: None
    environment: dict[str, str] = field(default_factory=dict)


def area_file(folder: Path, name: str = "sibiu.yaml", **changes: str) -> None:
    """Write the small area file, with changes: what is there -> what is there instead."""
    text = (AREAS / "small.yaml").read_text()
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    (folder / name).write_text(text)


def area_and_store(folder: Path) -> None:
    """Make an area file, and a store of it."""
    area_file(folder)
    bind(FolderStore(folder / "sibiu"), load_area(folder / "sibiu.yaml"))


def hostile_and_store(folder: Path) -> None:
    """Make a store, and a training file that runs a command where Hugin reads it."""
    area_and_store(folder)
    (folder / "unet.yaml").write_text("trainer: !!python/object/apply:os.system ['rm -r data']\n")


def other_area(folder: Path) -> None:
    """Make a store of one area, and the file of another."""
    area_and_store(folder)
    area_file(folder, "other.yaml", **{"name: small": "name: other"})


def newer_store(folder: Path) -> None:
    """Make a store in a format that nobody knows yet."""
    area_and_store(folder)
    path = folder / "sibiu" / "area.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))


def two_of_a_name(folder: Path) -> None:
    """Lay one product into two folders."""
    area_file(folder)
    for name in ("a", "b"):
        (folder / name / f"{PRODUCT}.SAFE").mkdir(parents=True)


def projected(folder: Path) -> None:
    """Write an outline in metres that does not say so."""
    ring = [[729960, 5090040], [731760, 5090040], [731760, 5088840], [729960, 5090040]]
    (folder / "aoi.geojson").write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))


def plain_raster(folder: Path) -> None:
    """Write a raster whose numbers nobody explains."""
    profile = {"driver": "GTiff", "width": 64, "height": 64, "count": 10, "dtype": "uint16", "crs": "EPSG:32634"}
    transform = rasterio.Affine(10, 0, 729960, 0, -10, 5090040)
    with rasterio.open(folder / "in.tif", "w", transform=transform, **profile) as out:
        out.write(np.full((10, 64, 64), 1000, np.uint16))


def model_and_store(folder: Path) -> None:
    """Make a store, and a model whose card is of other bands."""
    area_and_store(folder)
    (folder / "model").mkdir()
    (folder / "model" / "saved_model.pb").write_bytes(b"")
    tensor = {"shape": [-1, 256, 256, 3], "dim_order": ["batch", "height", "width", "bands"], "data_type": "uint16"}
    inputs = [{"name": name, "bands": ["B04", "B03", "B02"], "input": tensor} for name in ("msi_10m", "msi_20m")]
    said = {"mlm:name": "rgb", "mlm:architecture": "U-Net", "mlm:tasks": [], "mlm:input": inputs, "mlm:output": []}
    (folder / "mlm.json").write_text(json.dumps(said))


def model_with_words(folder: Path) -> None:
    """Make a store, and a model with a file of its own; what its card says is right."""
    area_and_store(folder)
    (folder / "model" / "assets").mkdir(parents=True)
    (folder / "model" / "saved_model.pb").write_bytes(b"")
    (folder / "model" / "assets" / "words.txt").write_text("one")
    said = {"mlm:name": "words", "mlm:architecture": "U-Net", "mlm:tasks": []}
    area = load_area(folder / "sibiu.yaml")
    (folder / "mlm.json").write_text(json.dumps(said | describe_signature(area)))


def raster_and_store(folder: Path) -> None:
    """Write such a raster, and make a store that has no model yet."""
    plain_raster(folder)
    area_and_store(folder)


def taken_port(folder: Path) -> AbstractContextManager[object]:
    """Make a store, and listen on the port that is asked for."""
    area_and_store(folder)
    return socket.create_server(("127.0.0.1", TAKEN))


def in_use(folder: Path) -> AbstractContextManager[object]:
    """Hold the store, as another run does."""
    area_and_store(folder)
    return FolderStore(folder / "sibiu").exclusive()


def full_disk(folder: Path) -> AbstractContextManager[object]:
    """Deliver a product to a disk that is full; tests/landstream/test_full_disk.py fills a real one."""
    area_file(folder)
    (folder / "labels.gpkg").write_bytes(bytes(500_000))
    return patch("shared.store.space.free_bytes", return_value=12_000)


MISTAKES = [
    Mistake("A path of an area file that is not there", "run --area sibu.yaml --store sibiu"),
    Mistake("A key that an area file does not have", "run --area sibiu.yaml --store sibiu",
            lambda f: area_file(f, **{"level: l2a": "levle: l2a"})),
    Mistake("A product that is not there", f"run --area sibiu.yaml --store sibiu --once {PRODUCT}.SAFE", area_file),
    Mistake("Two products of one name", f"run --area sibiu.yaml --store sibiu a/{PRODUCT}.SAFE b/{PRODUCT}.SAFE",
            two_of_a_name),
    Mistake("Another area's store", "run --area other.yaml --store sibiu --once", other_area),
    Mistake("A file for a store", "run --area sibiu.yaml --store sibiu.yaml --once", area_file),
    Mistake("A store that another run uses", "run --area sibiu.yaml --store sibiu --once", in_use),
    Mistake("A full disk", "run --area sibiu.yaml --store sibiu --once labels.gpkg", full_disk),
    Mistake("A store of a newer Landstream", "status --store sibiu", newer_store),
    Mistake("A folder that is not a store", "status --store .", area_file),
    Mistake("An address of no store", "status --store gs://sibiu"),
    Mistake("A store on S3 that does not answer", "status --store s3://sibiu", environment={**AWAY, **KEYS}),
    Mistake("A store on S3 without keys", "maps --store s3://sibiu", environment=AWAY),
    Mistake("Kafka that does not answer", "up --area sibiu.yaml --store s3://sibiu --kafka 127.0.0.1:9", area_file,
            {**AWAY, **KEYS, "LANDSTREAM_PROVISION_WAIT_S": "0"}),
    Mistake("A collection that does not exist", "items land-cover --store sibiu", area_and_store),
    Mistake("A failure record that does not exist", "requeue 1234 --store sibiu", area_and_store),
    Mistake("A training file of Hugin's that would run a command there", "train --hugin unet.yaml --store sibiu",
            hostile_and_store),
    Mistake("A stage that does not exist", "reprocess cloud-mask --store sibiu", area_and_store),
    Mistake("A week that does not exist", "reprocess tiler --week 2018-23 --store sibiu", area_and_store),
    Mistake("A product's name that is none", "withdraw yesterday --reason haze --store sibiu", area_and_store),
    Mistake("West and east exchanged", "area new sibiu --aoi 24.3,45.7,23.9,45.9 --year 2018"),
    Mistake("An outline in metres", "area new sibiu --aoi aoi.geojson --year 2018", projected),
    Mistake("An area at the pole", "area new pole --aoi 10,84,20,86 --year 2018"),
    Mistake("A label scheme that does not exist",
            "area new sibiu --aoi 23.9,45.7,24.3,45.9 --year 2018 --labels corine"),
    Mistake("An area file that is there already", "area new sibiu --aoi 23.9,45.7,24.3,45.9 --year 2018", area_file),
    Mistake("A raster whose numbers nobody explains", "predict in.tif map.tif --server 127.0.0.1:9 --model sibiu",
            plain_raster),
    Mistake("A store without a model", "predict in.tif map.tif --scale 0.0001 --store sibiu", raster_and_store),
    Mistake("A model of other bands", "model import model --card mlm.json --store sibiu", model_and_store),
    Mistake("A model with files of its own", "model import model --card mlm.json --store sibiu", model_with_words),
    Mistake("A port that is taken", f"serve --store sibiu --port {TAKEN}", taken_port),
]  # fmt: skip


def transcript(mistake: Mistake) -> tuple[int, str]:
    """Make a mistake; its exit code, and what is said of it without what only this machine has."""
    said = io.StringIO()
    with folder_of_its_own() as folder:
        held = mistake.prepare(folder) or nullcontext()
        ours = ("aws_", "landstream_", "http_proxy", "https_proxy", "all_proxy")
        kept = {k: v for k, v in os.environ.items() if not k.lower().startswith(ours)}
        argv = ["landstream", *mistake.command.split()]
        nobody = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null"}
        with (
            patch.dict(os.environ, {**kept, **nobody, **mistake.environment}, clear=True),
            patch.object(sys, "argv", argv),
            redirect_stderr(said),
            redirect_stdout(said),
            process_as_before(),
            held,
        ):
            try:
                cli.main()
                code = 0
            except SystemExit as end:
                code = int(end.code or 0)
        text = said.getvalue().replace(f"{folder}/", "").replace(str(folder), ".")
    return code, re.sub(r"[\d,.]+ MB", "N MB", text)


@contextmanager
def process_as_before() -> Iterator[None]:
    """Give signals and logs back, which a command takes for itself."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    logs, level, events = logging.root.handlers[:], logging.root.level, structlog.get_config()
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        logging.basicConfig(handlers=logs, level=level, force=True)
        structlog.configure(**events)


@contextmanager
def folder_of_its_own() -> Iterator[Path]:
    """A folder to be in."""
    before, folder = Path.cwd(), Path(tempfile.mkdtemp(prefix="mistake-")).resolve()
    os.chdir(folder)
    try:
        yield folder
    finally:
        os.chdir(before)
        shutil.rmtree(folder)


def page() -> str:
    """The page: each mistake, its command, and what is said."""
    parts = [HEAD]
    for mistake in MISTAKES:
        _, said = transcript(mistake)
        parts.append(f"**{mistake.title}**\n\n```\n$ landstream {mistake.command}\n{said.rstrip()}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
