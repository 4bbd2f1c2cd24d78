#!/bin/sh
# The gateway takes its keys from the environment only, and exits as long as Kafka or the topic is not there.
set -eu
mkdir -p data users
ROOT_ACCESS_KEY=$(cat /run/secrets/root_user) ROOT_SECRET_KEY=$(cat /run/secrets/root_password)
export ROOT_ACCESS_KEY ROOT_SECRET_KEY
echo '{"s3:ObjectCreated:*": true, "s3:ObjectRemoved:*": true}' > events.json
exec versitygw --port :9000 --admin-port :9001 --keep-alive --quiet --health /healthz --iam-dir users --iam-cache-ttl 1 \
  --event-kafka-url "$EVENT_KAFKA_URL" --event-kafka-topic "$EVENT_KAFKA_TOPIC" --event-filter events.json posix data
