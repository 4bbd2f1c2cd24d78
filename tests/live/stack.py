"""The whole stack in containers, as `docker compose up` starts it, for tests.

Needs a Docker engine. Kafka and versitygw are built of what `make services` installs; no image is pulled but the bases.
"""

from __future__ import annotations

import configparser
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.conftest import ROOT, absent
from tools.servers import SERVICES, MissingToolError, free_port
from tools.servers.kafka import Kafka
from tools.servers.versitygw import Versitygw

PROJECT = "landstream-test"
BUCKET = "landstream"
MAPS = "items/land-cover-maps/"
ENGINE = Path(os.environ.get("LANDSTREAM_ENGINE", ROOT / ".." / "shared" / "lab" / "containers-up.sh")).resolve()
"""What stops (`down`) and starts (`up`) the engine; where it is absent, all containers are restarted instead."""
DATA_OF_ENGINE = "/tmp/docker-lab/"
"""Where an engine that it started has its data: another one is not touched."""


def docker(*arguments: object, within_s: float = 120, **variables: str) -> str:
    """Run docker to its end; what it printed."""
    environment = {"DOCKER_HOST": "unix:///var/run/docker.sock", **os.environ, **variables}
    command = ["docker", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=within_s)
    assert result.returncode == 0, f"{' '.join(command)}\n{result.stdout[-4000:]}\n{result.stderr[-4000:]}"
    return result.stdout


def bridge() -> str:
    """The address of this machine that containers reach, and nobody outside of it."""
    return docker("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}").strip()


class Stack:
    """The stack under a project name of its own, on ports of its own.

    Args:
        given: what its operator has in the environment.
    """

    def __init__(self, **given: str) -> None:
        self.port = free_port(set())
        self.variables = {"S3_PORT": str(self.port), "KAFKA_PORT": str(free_port({self.port})), **given}

    def compose(self, *arguments: object, within_s: float = 120) -> str:
        """Run docker compose over both files."""
        files = ["-f", "docker-compose.yml", "-f", "docker/compose.local.yaml"]
        return docker("compose", "-p", PROJECT, *files, *arguments, within_s=within_s, **self.variables)

    def client(self, secret: str) -> Any:
        """A client of the store with the keys of one of its users."""
        parser = configparser.ConfigParser()
        parser.read(ROOT / "docker" / "secrets" / secret)
        return boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name="us-east-1",
            aws_access_key_id=parser["default"]["aws_access_key_id"],
            aws_secret_access_key=parser["default"]["aws_secret_access_key"],
            config=Config(retries={"max_attempts": 1}, connect_timeout=3, read_timeout=20),
        )

    def land(self, product: Path) -> None:
        """Drop a product object by object, as its own user."""
        client = self.client("users/deliver")
        files = [product] if product.is_file() else sorted(p for p in product.rglob("*") if p.is_file())
        for file in files:
            client.upload_file(str(file), BUCKET, f"landing/{file.relative_to(product.parent)}")

    def keys(self, prefix: str) -> list[str]:
        """The keys below a prefix; none while the store is away."""
        pages = self.client("root").get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        try:
            return [found["Key"] for page in pages for found in page.get("Contents", ())]
        except (BotoCoreError, ClientError):
            return []

    def get(self, key: str) -> bytes:
        """An object."""
        content: bytes = self.client("root").get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return content

    def environment(self, user: str) -> dict[str, str]:
        """The environment of a command of one of the store's users on this machine."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        credentials = str(ROOT / "docker" / "secrets" / "users" / user)
        return {
            **ours,
            "LANDSTREAM_S3": f"http://127.0.0.1:{self.port}",
            "AWS_SHARED_CREDENTIALS_FILE": credentials,
        }

    def containers(self) -> list[dict[str, Any]]:
        """What the engine says of each running container."""
        ids = docker("ps", "--quiet", "--filter", f"label=com.docker.compose.project={PROJECT}").split()
        return list(json.loads(docker("inspect", *ids))) if ids else []

    def healthy(self) -> bool:
        """Whether all that is to run does, and is well."""
        wanted = set(self.compose("config", "--services").split()) - {"folders", "provision"}
        states = {name_of(c): c["State"].get("Health", {}).get("Status") for c in self.containers()}
        return all(states.get(name) == "healthy" for name in wanted)

    def wait(self, what: str, condition: Callable[[], bool], within_s: float) -> None:
        """Wait for a condition; what all said last, if it does not come true."""
        begin = time.monotonic()
        while not condition():
            if time.monotonic() > begin + within_s:
                states = self.compose("ps", "--all")
                logs = self.compose("logs", "--no-color", "--tail", 15)
                pytest.fail(f"{what}: not within {within_s:.0f} s\n{states}\n{logs[-20_000:]}")
            time.sleep(2)
        print(f"{what}: {time.monotonic() - begin:.0f} s")

    def restart_engine(self) -> None:
        """Stop the engine and start it again, or at least all containers where it is not ours to stop."""
        if ENGINE.exists() and docker("info", "--format", "{{.DockerRootDir}}").startswith(DATA_OF_ENGINE):
            for command in ("down", "up"):
                subprocess.run([ENGINE, command], check=True, capture_output=True, timeout=300)
        else:
            self.compose("restart", within_s=300)


def name_of(container: dict[str, Any]) -> str:
    """The service that a container is of."""
    return str(container["Config"]["Labels"]["com.docker.compose.service"])


@cache
def build() -> None:
    """Make secrets and images, as `make secrets images` does; skips where Docker, or what they need, is absent."""
    try:
        docker("info")
    except (OSError, AssertionError) as error:
        absent(f"no Docker engine answers: {error}")
    try:
        for server in (Kafka(SERVICES / "kafka"), Versitygw(SERVICES / "versitygw")):
            server.install()
    except MissingToolError as error:
        absent(error)
    subprocess.run([sys.executable, ROOT / "tools" / "make_secrets.py"], check=True)
    for command in (("build", "common"), ("build",)):
        begin = time.monotonic()
        Stack().compose(*command, within_s=1200)
        print(f"{' '.join(command)}: {time.monotonic() - begin:.0f} s")


@contextmanager
def running_stack(**given: str) -> Iterator[Stack]:
    """A stack over an empty store, all of it healthy; removed at the end. Images were built before.

    Args:
        given: what its operator has in the environment.
    """
    stack = Stack(**given)
    stack.compose("down", "--volumes", "--timeout", 10)
    try:
        stack.compose("up", "--detach", within_s=300)
        stack.wait("all healthy", stack.healthy, 300)
        yield stack
    finally:
        stack.compose("down", "--volumes", within_s=300)
