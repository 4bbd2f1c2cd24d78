# For training, inference and the model sync. The CPU's own distribution takes the place of `tensorflow`, whose kernels
# for GPUs nothing here can use. Both fill the same folder, so only one of them is ever installed. Its headers (236 MB)
# serve compilers only.
ARG COMMON=landstream/common:0.1.0
FROM ${COMMON}
USER 0:0
# rasterio's wheel leaves it to the system. Debian keeps one version: there is none to pin.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends libexpat1 \
    && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log
ARG EXTRAS
RUN --mount=type=tmpfs,target=/tmp --mount=type=cache,target=/root/.cache/uv --mount=type=secret,id=index \
    echo tensorflow > /tmp/excludes \
    && sh /install/install.sh "${EXTRAS}" -r tensorflow-cpu.lock --excludes /tmp/excludes \
    && rm -r /venv/lib/python3.11/site-packages/tensorflow/include
COPY . /app
RUN python -m compileall -q /app
USER 10001:10001
