"""The whole stack in containers: products dropped into landing/ are mapped, also after the engine was restarted.

Needs a Docker engine. Kafka and versitygw are built of what `make services` installs; no image is pulled but the bases.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
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

pytestmark = [pytest.mark.compose, pytest.mark.timeout(1800)]

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


class Stack:
    """The stack under a project name of its own, on ports of its own."""

    def __init__(self) -> None:
        self.port = free_port(set())
        self.variables = {"S3_PORT": str(self.port), "KAFKA_PORT": str(free_port({self.port}))}

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
        try:
            answer = self.client("root").list_objects_v2(Bucket=BUCKET, Prefix=prefix)
        except (BotoCoreError, ClientError):
            return []
        return [found["Key"] for found in answer.get("Contents", ())]

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


def week_of(product: Path) -> str:
    """The ISO week of a Sentinel-2 product's name."""
    found = re.search(r"_(\d{8})T\d{6}_", product.name)
    assert found
    year, week, _ = date.fromisoformat(found[1]).isocalendar()
    return f"{year}-W{week:02d}"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
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
    stack = Stack()
    for command in (("build", "common"), ("build",)):
        begin = time.monotonic()
        stack.compose(*command, within_s=1200)
        print(f"{' '.join(command)}: {time.monotonic() - begin:.0f} s")
    stack.compose("down", "--volumes", "--timeout", 10)
    try:
        stack.compose("up", "--detach", within_s=300)
        stack.wait("all healthy", stack.healthy, 300)
        yield stack
    finally:
        stack.compose("down", "--volumes", within_s=300)


@pytest.fixture(scope="module")
def held_back(six: list[Path]) -> Path:
    """The last Sentinel-2 product, for after the restart."""
    return max((p for p in six if "_MSIL2A_" in p.name), key=week_of)


def test_products_are_mapped(stack: Stack, six: list[Path], held_back: Path) -> None:
    for product in six:
        if product != held_back:
            stack.land(product)
    stack.wait("first map", lambda: bool(stack.keys(MAPS)), 600)
    assert stack.keys(f"{MAPS}{week_of(held_back)}/") == []
    assert stack.keys("failures/") == []


def test_containers_are_confined(stack: Stack) -> None:
    containers = stack.containers()
    assert {name_of(c) for c in containers} >= {"kafka", "store", "ingest", "trainer", "inference", "sweeper"}
    for container in containers:
        host = container["HostConfig"]
        assert host["ReadonlyRootfs"], name_of(container)
        assert host["CapDrop"] == ["ALL"]
        assert not host["CapAdd"]
        assert not host["Privileged"]
        assert host["SecurityOpt"] == ["no-new-privileges:true"]
        assert host["Memory"] > 0
        assert host["NanoCpus"] > 0
        assert host["PidsLimit"] > 0
        assert all(b["HostIp"] == "127.0.0.1" for bs in (host["PortBindings"] or {}).values() for b in bs)
        # What the kernel says, which counts.
        status = dict(
            line.split(":\t", 1) for line in docker("exec", container["Id"], "cat", "/proc/1/status").splitlines()
        )
        assert "0" not in status["Uid"].split()
        assert "0" not in status["Gid"].split()
        assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
        assert status["NoNewPrivs"] == "1"
        print(f"{name_of(container)}: uid {status['Uid'].split()[0]}, no capabilities, read-only")


def test_goes_on_after_a_restart_of_the_engine(stack: Stack, held_back: Path) -> None:
    stack.restart_engine()
    stack.wait("all healthy after the restart", stack.healthy, 300)
    stack.land(held_back)
    stack.wait("map of the next product", lambda: bool(stack.keys(f"{MAPS}{week_of(held_back)}/")), 600)
    assert stack.keys("failures/") == []
