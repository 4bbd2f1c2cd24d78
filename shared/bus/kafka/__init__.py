"""The bus on Apache Kafka."""

from shared.bus.kafka.bus import KafkaBus
from shared.bus.kafka.settings import KafkaSettings

__all__ = ["KafkaBus", "KafkaSettings"]
