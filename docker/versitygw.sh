#!/bin/sh
# The gateway takes its keys from the environment only, and exits as long as Kafka or the topic is not there: wait.
set -eu
folder=/var/lib/landstream
mkdir -p "$folder/data" "$folder/users"
ROOT_ACCESS_KEY=$(cat /run/secrets/root_user) ROOT_SECRET_KEY=$(cat /run/secrets/root_password)
export ROOT_ACCESS_KEY ROOT_SECRET_KEY
echo '{"s3:ObjectCreated:*": true, "s3:ObjectRemoved:*": true}' > "$folder/events.json"
trap 'exit 143' TERM
until python -c 'import sys, kafka
sys.exit(sys.argv[2] not in kafka.KafkaConsumer(bootstrap_servers=sys.argv[1]).topics())' \
  "$EVENT_KAFKA_URL" "$EVENT_KAFKA_TOPIC" 2> /dev/null; do
  sleep 1
done
exec versitygw --port :9000 --admin-port :9001 --keep-alive --quiet --health /healthz \
  --iam-dir "$folder/users" --iam-cache-ttl 1 --event-kafka-url "$EVENT_KAFKA_URL" \
  --event-kafka-topic "$EVENT_KAFKA_TOPIC" --event-filter "$folder/events.json" posix "$folder/data"
