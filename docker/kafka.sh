#!/bin/sh
# What apache/kafka's image does at start: KAFKA_* variables to properties, the data formatted once, then the broker.
set -eu
cd /opt/kafka
run() {
  # shellcheck disable=SC2086 # options, several of them
  exec java ${KAFKA_HEAP_OPTS:--Xmx512m} -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData -cp 'libs/*' "$@"
}
# It writes the properties, then formats; that it did before is an error to it.
said=$(run kafka.docker.KafkaDockerWrapper setup --default-configs-dir /etc/kafka/docker \
  --mounted-configs-dir /mnt/shared/config --final-configs-dir config 2>&1) || case $said in
  *"already formatted"*) ;;
  *) echo "$said" >&2 && exit 1 ;;
esac
run -Dlog4j2.configurationFile=config/log4j2.yaml kafka.Kafka config/server.properties
