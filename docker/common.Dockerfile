# The layers that all images share: Python, a user without rights, the core's dependencies.
ARG PYTHON=python:3.11-slim-bookworm
FROM ${PYTHON}
ENV PATH=/venv/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 HOME=/tmp
# A new volume takes its owner from the image's folder, so no container has to start as root to hand it over.
RUN groupadd --gid 10001 landstream \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin landstream \
    && install --directory --owner=10001 --group=10001 /work /var/lib/landstream \
    && python -m venv --without-pip /venv
WORKDIR /app
COPY pyproject.toml bootstrap.lock requirements.lock docker/install.sh docker/tensorflow-cpu.lock /install/
RUN --mount=type=tmpfs,target=/tmp --mount=type=cache,target=/root/.cache/uv --mount=type=secret,id=index \
    sh /install/install.sh ""
USER 10001:10001
