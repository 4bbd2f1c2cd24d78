# For the services on scenes and polygons: wheels bring GDAL, HDF5 and OpenCV.
ARG COMMON=landstream/common:0.1.0
FROM ${COMMON}
USER 0:0
# The wheels of rasterio and LightGBM leave these two to the system. Debian keeps one version: there is none to pin.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends libexpat1 libgomp1 \
    && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log
ARG EXTRAS
RUN --mount=type=tmpfs,target=/tmp --mount=type=cache,target=/root/.cache/uv --mount=type=secret,id=index \
    sh /install/install.sh "${EXTRAS}"
COPY . /app
RUN python -m compileall -q /app \
    && if python -c "import numba" 2>/dev/null; then python -m shared.compiled; fi
USER 10001:10001
