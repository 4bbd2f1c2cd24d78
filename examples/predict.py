"""Land cover of a GeoTIFF over gRPC: `python examples/predict.py HOST:PORT MODEL in.tif out.tif [SCALE [OFFSET]]`.

The input holds B02 B03 B04 B08 B05 B06 B07 B8A B11 B12 at 10 m. Reflectance = number * SCALE + OFFSET, where the file's
own tags do not say so and it is not in floating point. The server is TF Serving or anything that speaks its protocol;
nothing here loads TensorFlow. `landstream predict` does the same, with class names and colours.
"""

import sys
from contextlib import closing
from pathlib import Path

import grpc

from landstream.predict.encoding import PredictError
from landstream.predict.predict import predict_raster
from landstream.predict.raster import open_raster
from services.inference.client import Client

address, model, source, target, *told = sys.argv[1:]
scale, offset = (*map(float, told), None, None)[:2]
try:
    # The newest version answers the first request, and then all others.
    with (
        open_raster(Path(source), (), scale, offset) as raster,
        closing(Client(address, model, None, deadline_s=120, max_message_bytes=64 << 20)) as client,
    ):
        for path in predict_raster(raster, client, Path(target), classes=(), overlap_px=64, attribution=""):
            print(path)
except PredictError as error:
    sys.exit(str(error))
except grpc.RpcError as error:
    sys.exit(f"{address}: {error.code().name}: {error.details()}")
