"""Where the consumer groups of a new bucket begin."""

from __future__ import annotations

import time

from kafka import TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import NoError, RetriableError
from kafka.structs import OffsetAndMetadata

from shared.bus import OBJECTS
from shared.bus.kafka import KafkaBus, KafkaSettings
from shared.stage import registry

PATIENCE_S = 60


def begin_now(kafka: str, bucket: str) -> None:
    """Let the services of a bucket begin with what is published from now on.

    A new group reads the topic from its start, and other tests have left thousands of events of other buckets there,
    each read by each service: minutes of a small machine.

    Args:
        kafka: `HOST:PORT`.
        bucket: its services have not run yet.
    """
    bus = KafkaBus(KafkaSettings(servers=kafka))
    admin = bus.admin()
    partitions = [int(p["partition_index"]) for t in admin.describe_topics([OBJECTS]) for p in t["partitions"]]
    ends = admin.list_partition_offsets({TopicPartition(OBJECTS, n): OffsetSpec.LATEST for n in partitions})
    now = {partition: OffsetAndMetadata(end.offset, "", -1) for partition, end in ends.items()}
    deadline = time.monotonic() + PATIENCE_S
    groups = [f"{bucket}.{name}" for name in registry.names()]
    while groups:
        try:
            for error in {*admin.alter_group_offsets(groups[-1], now).values()} - {NoError}:
                raise error(groups[-1])
            groups.pop()
        except RetriableError:  # a new broker's first group: its topic of offsets is being made
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
    bus.close()
