#!/bin/sh
# What apache/kafka's image does at start: KAFKA_* variables to properties, the data formatted once, then the broker.
set -eu
cd /opt/kafka
# shellcheck disable=SC2086 # options, several of them
kafka() { exec java ${KAFKA_HEAP_OPTS:--Xmx512m} -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData "$@"; }
(kafka -cp 'libs/*' kafka.docker.KafkaDockerWrapper setup --default-configs-dir /etc/kafka/docker \
  --mounted-configs-dir /mnt/shared/config --final-configs-dir config)
kafka -Dlog4j2.configurationFile=config/log4j2.yaml -cp 'libs/*' kafka.Kafka config/server.properties
