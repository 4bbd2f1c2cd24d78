# For services that open no raster and no cube: the core's dependencies and what one extra adds.
ARG COMMON=landstream/common:0.1.0
FROM ${COMMON}
USER 0:0
ARG EXTRAS
RUN --mount=type=tmpfs,target=/tmp --mount=type=cache,target=/root/.cache/uv --mount=type=secret,id=index \
    sh /install/install.sh "${EXTRAS}"
COPY . /app
RUN python -m compileall -q /app
USER 10001:10001
