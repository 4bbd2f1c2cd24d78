"""Ask a TF Serving-compatible server over gRPC: the same calls whatever is behind the address."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt
from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2, types_pb2
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

BATCH = 4
"""Windows in one request, always; the last one is padded, so an answer never depends on how requests were grouped."""

IN_FLIGHT = 2
"""Requests sent ahead, so that the server works while the client reads and blends."""

SIGNATURE = "probabilities"

_DTYPES: dict[int, np.dtype[Any]] = {
    types_pb2.DT_UINT8: np.dtype("u1"),
    types_pb2.DT_UINT16: np.dtype("<u2"),
    types_pb2.DT_INT32: np.dtype("<i4"),
    types_pb2.DT_FLOAT: np.dtype("<f4"),
}
_CODES = {dtype: code for code, dtype in _DTYPES.items()}

Array = npt.NDArray[Any]


class Client:
    """Predicts windows with one version of one model.

    Args:
        address: host:port.
        model: name of the model.
        version: its version; never "the latest", which may change between two windows of a map.
        deadline_s: for each request, from its sending.
        max_message_bytes: of requests and answers; gRPC's own limit is 4 MiB.
    """

    def __init__(self, address: str, model: str, version: int, deadline_s: float, max_message_bytes: int) -> None:
        self._model, self._version, self._deadline_s = model, version, deadline_s
        self._channel = grpc.insecure_channel(
            address,
            options=[
                ("grpc.max_send_message_length", max_message_bytes),
                ("grpc.max_receive_message_length", max_message_bytes),
                # A proxy set for downloads must not see requests to a model server.
                ("grpc.enable_http_proxy", 0),
            ],
        )
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def predict(self, windows: Iterable[tuple[Array, Array]]) -> Iterator[Array]:
        """Probabilities of windows, in their order.

        Args:
            windows: (msi_10m uint16 (y, x, 4), msi_20m uint16 (y/2, x/2, 6)), all of one size.

        Yields:
            uint8 (y, x, classes): 255 = 1, 0 where not observed.

        Raises:
            grpc.RpcError: the server's status, or DEADLINE_EXCEEDED.
        """
        flying: deque[tuple[Any, int]] = deque()
        batch: list[tuple[Array, Array]] = []
        for window in windows:
            batch.append(window)
            if len(batch) == BATCH:
                flying.append(self._send(batch))
                batch = []
                if len(flying) == IN_FLIGHT:
                    yield from self._receive(*flying.popleft())
        if batch:
            flying.append(self._send(batch))
        while flying:
            yield from self._receive(*flying.popleft())

    def _send(self, batch: list[tuple[Array, Array]]) -> tuple[Any, int]:
        request = predict_pb2.PredictRequest()
        request.model_spec.name = self._model
        request.model_spec.version.value = self._version
        request.model_spec.signature_name = SIGNATURE
        request.output_filter.append(SIGNATURE)
        for name, parts in zip(("msi_10m", "msi_20m"), zip(*batch, strict=True), strict=True):
            stacked = np.zeros((BATCH, *parts[0].shape), np.uint16)
            stacked[: len(batch)] = parts
            request.inputs[name].CopyFrom(encode(stacked))
        return self._stub.Predict.future(request, timeout=self._deadline_s), len(batch)

    def _receive(self, future: Any, count: int) -> Iterator[Array]:
        answer = decode(future.result().outputs[SIGNATURE])
        yield from answer[:count]


def encode(values: Array) -> tensor_pb2.TensorProto:
    """Encode an array as a tensor of raw bytes."""
    little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    shape = tensor_shape_pb2.TensorShapeProto(dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=n) for n in values.shape])
    return tensor_pb2.TensorProto(dtype=_CODES[little.dtype], tensor_shape=shape, tensor_content=little.tobytes())


def decode(tensor: tensor_pb2.TensorProto) -> Array:
    """Decode a tensor to an array.

    TF Serving answers in typed lists unless told otherwise, the embedded server in raw bytes.

    Raises:
        ValueError: a type that no signature of ours has, or fewer values than the shape says.
    """
    if tensor.dtype not in _DTYPES:
        raise ValueError(
            f"tensor of type {types_pb2.DataType.Name(tensor.dtype)}; expected uint8, uint16, int32 or float32"
        )
    dtype = _DTYPES[tensor.dtype]
    shape = tuple(d.size for d in tensor.tensor_shape.dim)
    if tensor.tensor_content:
        return np.frombuffer(tensor.tensor_content, dtype).reshape(shape)
    listed = tensor.float_val if tensor.dtype == types_pb2.DT_FLOAT else tensor.int_val
    values: Array = np.fromiter(listed, dtype, len(listed))
    if len(values) == 1:
        return np.full(shape, values[0])  # one value stands for all
    return values.reshape(shape)
