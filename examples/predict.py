"""Land cover of a GeoTIFF over gRPC: `python examples/predict.py localhost:8500 MODEL in.tif out.tif`.

The input holds B02 B03 B04 B08 B05 B06 B07 B8A B11 B12 at 10 m: reflectance (float, NaN = no data), or the cube's own
uint16 (reflectance x 10000 + 1000, 0 = no data). The server is TF Serving or anything that speaks its protocol.
"""

import sys

import grpc
import numpy as np
import rasterio
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

address, model, source, target = sys.argv[1:]
with rasterio.open(source) as image:
    bands, profile = np.moveaxis(image.read(), 0, -1), image.profile
if bands.dtype.kind == "f":
    bands = np.nan_to_num(np.clip(np.round(bands * 10000) + 1000, 1, 65535), nan=0)
ny, nx = bands.shape[:2]
bands = np.pad(bands.astype("uint16"), ((0, -ny % 256), (0, -nx % 256), (0, 0)))
land_cover = np.zeros(bands.shape[:2], "uint8")
with grpc.insecure_channel(address) as channel:
    predict = PredictionServiceStub(channel).Predict
    for y in range(0, ny, 256):
        for x in range(0, nx, 256):
            window = bands[None, y : y + 256, x : x + 256]
            request = PredictRequest()
            request.model_spec.name = model
            request.inputs["msi_10m"].CopyFrom(tf.make_tensor_proto(window[..., :4]))
            request.inputs["msi_20m"].CopyFrom(tf.make_tensor_proto(window[:, ::2, ::2, 4:]))
            answer = predict(request, timeout=60)
            land_cover[y : y + 256, x : x + 256] = tf.make_ndarray(answer.outputs["class"])[0]
with rasterio.open(target, "w", **profile | {"driver": "GTiff", "count": 1, "dtype": "uint8", "nodata": 0}) as out:
    out.write(land_cover[:ny, :nx], 1)
