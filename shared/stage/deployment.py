"""What a service asks of the machines that it runs on, and the declaration of a service without a stage."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Image = Literal["plain", "raster", "tensorflow"]
"""Kinds of images: Python and what every service needs; with the libraries of rasters; with TensorFlow."""

BESIDE_MB: Final = 512
"""Memory in MiB that a pod may take beyond its worker's: the service beside it takes 150 MB."""

PORT: Final = 9100
"""Port of `/metrics`, `/healthz` and `/readyz` in a container."""

Patterns = tuple[str, ...]
"""Keys of objects with `*` for anything."""


@dataclass(frozen=True)
class Deployment:
    """What containers and pods of a service are given; `make deploy-files` writes it into their files.

    The defaults are those of a stage that does one scene per job and has not been measured.

    Attributes:
        image: kind of the image.
        p99_s: the 99th percentile of a job's duration in seconds; a pod has longer than this to end.
        p99_reason: where that comes from.
        memory_mb: memory in MiB that a pod is promised: a measured peak, the service's own process included.
        memory_reason: where that comes from.
        memory_limit_mb: memory in MiB that a container may take where one machine runs all services.
        cpu: cores that a pod is promised.
        cpu_limit: cores that it may take.
        disk_mb: MiB of scratch of a service without a stage; a stage's follow from its memory.
        jobs_each: due jobs for each replica, up to as many replicas as the topic has partitions.
        job_each: whether each due job is a Kubernetes Job of its own, which ends with it: for hours of work.
    """

    image: Image = "raster"
    p99_s: int = 190
    p99_reason: str = "Not measured at full size: as for a Sentinel-2 tile."
    memory_mb: int = 1792
    memory_reason: str = "Not measured at full size: as for a Sentinel-2 tile."
    memory_limit_mb: int = 3072
    cpu: float = 0.5
    cpu_limit: float = 2
    disk_mb: int = 256
    jobs_each: int = 4
    job_each: bool = False

    @property
    def end_s(self) -> int:
        """Seconds that a pod has to end: 1.5 times what nearly every job takes, but at most five minutes longer."""
        longer = min(max(1.5 * self.p99_s, self.p99_s + 30), self.p99_s + 300)
        return 60 * math.ceil(longer / 60)


@dataclass(frozen=True)
class Service:
    """A service as it is deployed: one without a stage declares it as `SERVICE` in its `service.py`.

    Attributes:
        name: its name among processes, users and hosts.
        package: its folder in `services/`.
        deployment: what it asks of machines.
        extra: its extra in pyproject.toml; empty where it needs nothing beyond the dependencies of all.
        arguments: of its command.
        ports: name -> port that it listens on beside `PORT`; on one machine for this machine alone.
        volumes: name of a volume of the compose file -> where it lies in the container.
        variables: of the environment, that people set for an account of theirs: compose hands on those that are set,
            Kubernetes those of the secret `landstream-NAME-account` where there is one.
        writes: keys that it may put.
        deletes: keys that it may delete.
        one_because: why it has one replica, for the manifest.
        sidecar: whether it runs in the pod of something else, whose manifest is written by hand.
    """

    name: str
    package: str
    deployment: Deployment
    extra: str = ""
    arguments: tuple[str, ...] = ()
    ports: Mapping[str, int] = field(default_factory=dict)
    volumes: Mapping[str, str] = field(default_factory=dict)
    variables: Patterns = ()
    writes: Patterns = ()
    deletes: Patterns = ()
    one_because: str = ""
    sidecar: bool = False

    @property
    def command(self) -> tuple[str, ...]:
        """What a container runs."""
        return ("python", "-m", f"services.{self.package}", *self.arguments)
