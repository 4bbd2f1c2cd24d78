#!/bin/sh
# Installs into /venv what pyproject.toml asks for: `install.sh "EXTRA..." [OPTION...]`; no extra is the core alone.
# Versions and hashes are those of requirements.lock: what is not in it fails. Wheels only, so nothing is compiled.
set -eu
extras=$1
shift
for extra in $extras; do
  set -- "$@" --extra "$extra"
done
cd "$(dirname "$0")"
# The index's address, where it is not the default, is a secret of the build: it stays out of every layer.
index=$(cat /run/secrets/index 2>/dev/null || true)
if [ -n "$index" ]; then
  export PIP_INDEX_URL="$index" UV_DEFAULT_INDEX="$index"
fi
# uv goes where it leaves with the step: /tmp is a tmpfs of the build.
pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-cache-dir \
  --require-hashes --target /tmp/uv -r bootstrap.lock
PYTHONPATH=/tmp/uv UV_CACHE_DIR=/root/.cache/uv UV_LINK_MODE=copy python -m uv pip install --quiet --python /venv \
  --compile-bytecode --only-binary :all: --require-hashes -r pyproject.toml --constraints requirements.lock "$@"
