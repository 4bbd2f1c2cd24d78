#!/bin/sh
# Makes the Secrets in the cluster from the files in docker/secrets/, most of which `make secrets` made; what is there
# already is kept.
set -eu
cd "$(dirname "$0")/.."
[ -d docker/secrets/users ] || { echo "k8s/secrets.sh: no docker/secrets/users; run \`make secrets\` first" >&2; exit 2; }
cd docker/secrets

make_secret() {
  name=$1
  shift
  # A Kafka that asks for passwords has one in kafka/ for each service, beside its certificate authority.
  if [ -f "kafka/$name" ]; then
    set -- "$@" --from-file=kafka-password="kafka/$name" --from-file=kafka-ca.crt=kafka/ca.crt
  fi
  kubectl -n landstream get secret "landstream-$name" > /dev/null 2>&1 ||
    kubectl -n landstream create secret generic "landstream-$name" "$@"
}

for user in users/*; do
  make_secret "${user#users/}" --from-file=s3="$user"
done
make_secret provision --from-file=s3=root
make_secret store --from-file=root_user --from-file=root_password
