"""versitygw: S3 over a folder, conditional writes included, with an event on Kafka for each object."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from tools.servers import HOST, INSTALLED, TOPIC, S3Server, http_status, installing, run, tool

VERSION = "v1.8.0"
MODULE = f"github.com/versity/versitygw/cmd/versitygw@{VERSION}"
BINARY = INSTALLED / f"versitygw-{VERSION}" / "versitygw"
EVENTS = {"s3:ObjectCreated:*": True, "s3:ObjectRemoved:*": True}


class Versitygw(S3Server):
    """A gateway over the folder's `data`; without a Kafka address it sends no events.

    With one, Kafka must run and the topic exist before it starts. Its events are at most once.
    """

    name = "versitygw"
    port_names = ("s3", "admin")
    start_s = 30

    def __init__(self, folder: Path, kafka_address: str | None = None, topic: str = TOPIC) -> None:
        super().__init__(folder)
        self.kafka_address = kafka_address
        self.topic = topic

    @property
    def admin_url(self) -> str:
        """The URL for `versitygw admin -er`."""
        return f"http://{HOST}:{self.port('admin')}"

    @property
    def binary(self) -> Path:
        """The program, which is its own admin client."""
        return BINARY

    def install(self) -> None:
        """Build it with Go; caches of Go that the environment names are used, others are not left behind."""
        with installing(BINARY.parent) as folder:
            if folder is not None:
                go = tool("go", "installing versitygw")
                path = folder / "go"
                ours = {"GOPATH": path, "GOMODCACHE": path / "pkg" / "mod", "GOCACHE": path / "build"}
                environment = {**{name: str(value) for name, value in ours.items()}, **os.environ}
                environment |= {"GOBIN": str(folder), "CGO_ENABLED": "0"}  # needs no C compiler
                # Go's module cache is read-only otherwise, and could not be removed.
                run([go, "install", "-modcacherw", MODULE], within_s=1200, env=environment)
                shutil.rmtree(path, ignore_errors=True)

    def prepare(self) -> None:
        """Make its folders and the list of events."""
        for folder in (self._data, self._iam):
            folder.mkdir(parents=True, exist_ok=True)
        self._filter.write_text(json.dumps(EVENTS))

    def command(self) -> list[str]:
        """Return the command line; users are read again after a second, so that tests may change them."""
        addresses = ["--port", f"{HOST}:{self.port('s3')}", "--admin-port", f"{HOST}:{self.port('admin')}"]
        users = ["--iam-dir", str(self._iam), "--iam-cache-ttl", "1"]
        events = []
        if self.kafka_address is not None:
            events = ["--event-kafka-url", self.kafka_address, "--event-kafka-topic", self.topic]
            events += ["--event-filter", str(self._filter)]
        options = ["--keep-alive", "--quiet", "--health", "/healthz"]
        return [str(BINARY), *addresses, *options, *users, *events, "posix", str(self._data)]

    def environment(self) -> Mapping[str, str]:
        """Return the keys, which come by the environment: a command line is public."""
        return {"ROOT_ACCESS_KEY": self.access_key, "ROOT_SECRET_KEY": self.secret_key}

    def healthy(self) -> bool:
        """Return whether its health path answers."""
        return http_status(self.port("s3"), "/healthz") == 200

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _iam(self) -> Path:
        return self.folder / "iam"

    @property
    def _filter(self) -> Path:
        return self.folder / "events.json"
