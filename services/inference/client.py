"""Ask a TF Serving-compatible server over gRPC: the same calls whatever is behind the address."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt

from services.inference.wire import (
    DT_FLOAT,
    DT_INT32,
    DT_UINT8,
    DT_UINT16,
    PREDICT_METHOD,
    PredictRequest,
    PredictResponse,
    TensorProto,
)

BATCH = 4
"""Windows in one request of a model that reads one week; the last one is padded, so an answer never depends on how
requests were grouped."""

MOST_BYTES = 16 << 20
"""Of the windows in one request: long stacks go in smaller batches, of at least one."""

IN_FLIGHT = 2
"""Requests sent ahead, so that the server works while the client reads and blends."""

SIGNATURE = "probabilities"

_DTYPES: dict[int, np.dtype[Any]] = {
    DT_UINT8: np.dtype("u1"),
    DT_UINT16: np.dtype("<u2"),
    DT_INT32: np.dtype("<i4"),
    DT_FLOAT: np.dtype("<f4"),
}
_CODES = {dtype: code for code, dtype in _DTYPES.items()}

Array = npt.NDArray[Any]


class Client:
    """Predicts windows with one version of one model.

    Args:
        address: host:port.
        model: name of the model.
        version: its version; None = the newest when `ask` is called, which then stays: it may change between two
            windows of a map.
        deadline_s: for each request, from its sending.
        max_message_bytes: of requests and answers; gRPC's own limit is 4 MiB.
    """

    def __init__(
        self, address: str, model: str, version: int | None, deadline_s: float, max_message_bytes: int
    ) -> None:
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
        self._predict = self._channel.unary_unary(
            PREDICT_METHOD,
            request_serializer=PredictRequest.SerializeToString,
            response_deserializer=PredictResponse.FromString,
        )

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def ask(self, side_px: int) -> int:
        """Ask the server for an empty window's answer, and stay with the version that gives it.

        The model reads the bands of 10 and 20 m of one week.

        Args:
            side_px: side of the windows that will be predicted.

        Returns:
            The number of the model's classes.

        Raises:
            grpc.RpcError: the server's status, or DEADLINE_EXCEEDED.
        """
        half = side_px // 2
        empty = {"msi_10m": np.zeros((side_px, side_px, 4), np.uint16), "msi_20m": np.zeros((half, half, 6), np.uint16)}
        future, _ = self._send([empty])
        response = future.result()
        self._version = int(response.model_spec.version.value)
        return int(_outputs(response)[SIGNATURE].shape[-1])

    def predict(self, windows: Iterable[Mapping[str, Array]]) -> Iterator[Array]:
        """Probabilities of windows, in their order.

        Args:
            windows: the inputs of each by name, without the axis of the batch, all of one size; most models read
                msi_10m uint16 (y, x, 4) and msi_20m uint16 (y/2, x/2, 6).

        Yields:
            uint8 (y, x, classes): 255 = 1, 0 where not observed.

        Raises:
            grpc.RpcError: the server's status, or DEADLINE_EXCEEDED.
        """
        flying: deque[tuple[Any, int]] = deque()
        batch: list[Mapping[str, Array]] = []
        for window in windows:
            batch.append(window)
            if len(batch) == batch_of(window):
                flying.append(self._send(batch))
                batch = []
                if len(flying) == IN_FLIGHT:
                    yield from self._receive(*flying.popleft())
        if batch:
            flying.append(self._send(batch))
        while flying:
            yield from self._receive(*flying.popleft())

    def _send(self, batch: list[Mapping[str, Array]]) -> tuple[Any, int]:
        request = PredictRequest()
        request.model_spec.name = self._model
        if self._version is not None:
            request.model_spec.version.value = self._version
        request.model_spec.signature_name = SIGNATURE
        request.output_filter.append(SIGNATURE)
        for name, first in batch[0].items():
            stacked = np.zeros((batch_of(batch[0]), *first.shape), first.dtype)
            stacked[: len(batch)] = [window[name] for window in batch]
            request.inputs.add(key=name, value=encode(stacked))
        return self._predict.future(request, timeout=self._deadline_s), len(batch)

    def _receive(self, future: Any, count: int) -> Iterator[Array]:
        yield from _outputs(future.result())[SIGNATURE][:count]


def batch_of(window: Mapping[str, Array]) -> int:
    """Return how many windows like this one are in a request."""
    return max(1, min(BATCH, MOST_BYTES // sum(values.nbytes for values in window.values())))


def _outputs(response: Any) -> dict[str, Array]:
    return {named.key: decode(named.value) for named in response.outputs}


def encode(values: Array) -> Any:
    """Encode an array as a tensor of raw bytes."""
    little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    shape = {"dim": [{"size": n} for n in values.shape]}
    return TensorProto(dtype=_CODES[little.dtype], tensor_shape=shape, tensor_content=little.tobytes())


def decode(tensor: Any) -> Array:
    """Decode a tensor to an array.

    TF Serving answers in typed lists unless told otherwise, the embedded server in raw bytes.

    Raises:
        ValueError: a type that no signature of ours has, or fewer values than the shape says.
    """
    if tensor.dtype not in _DTYPES:
        raise ValueError(
            f"tensor of type {tensor.dtype} of tensorflow.DataType; expected uint8, uint16, int32 or float32"
        )
    dtype = _DTYPES[tensor.dtype]
    shape = tuple(d.size for d in tensor.tensor_shape.dim)
    if tensor.tensor_content:
        return np.frombuffer(tensor.tensor_content, dtype).reshape(shape)
    listed = tensor.float_val if tensor.dtype == DT_FLOAT else tensor.int_val
    values: Array = np.fromiter(listed, dtype, len(listed))
    if len(values) == 1:
        return np.full(shape, values[0])  # one value stands for all
    return values.reshape(shape)
