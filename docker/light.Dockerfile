# For what needs neither GDAL nor TensorFlow: sweeper and provisioning.
ARG COMMON=landstream/common:0.1.0
FROM ${COMMON}
ARG EXTRAS=""
USER 0:0
RUN --mount=type=tmpfs,target=/tmp --mount=type=cache,target=/root/.cache/uv --mount=type=secret,id=index \
    sh /install/install.sh "${EXTRAS}"
COPY . /app
RUN python -m compileall -q /app
USER 10001:10001
