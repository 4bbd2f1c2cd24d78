"""Read windows of the cube and have them predicted, a row of the lattice at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

import grpc
import numpy as np
import numpy.typing as npt

from services.inference.blend import WINDOW_PX
from shared.stage.declare import RetryLater

Array = npt.NDArray[Any]

NOT_READY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.DEADLINE_EXCEEDED)
"""The server is starting, has not been given the model yet, or is busy."""


Inputs = Mapping[str, Array]
"""A window as a model reads it, by input, without the axis of the batch; see `shared.items.model_inputs`."""


class Predictor(Protocol):
    """What prediction needs of a client."""

    def predict(self, windows: Iterable[Inputs]) -> Iterator[Array]:
        """Probabilities uint8 (y, x, classes) of windows, in their order."""


class WindowPredictor:
    """Windows, read and predicted.

    Args:
        read: reads the window whose upper left corner (y, x) in 10 m pixels is given, of `WINDOW_PX`.
        client: where they are predicted.
        classes: number of classes of the area.
        patient: a server that is not ready is waited for, as long as it takes; without it, that is an error like
            any other: the embedded server is ready or broken.
    """

    def __init__(self, read: Callable[[int, int], Inputs], client: Predictor, classes: int, patient: bool) -> None:
        self._read, self._client, self._classes, self._patient = read, client, classes, patient

    def predict(self, row: list[tuple[int, int]]) -> Iterator[Array]:
        """Predict a row of windows.

        Args:
            row: upper left corners (y, x) in 10 m pixels of the grid.

        Yields:
            For each, uint8 (WINDOW_PX, WINDOW_PX, classes): 255 = 1, 0 where not observed.

        Raises:
            RetryLater: the server is not ready, and is waited for.
            grpc.RpcError: any other status.
            ValueError: its model has other classes.
        """
        empty = np.zeros((WINDOW_PX, WINDOW_PX, self._classes), np.uint8)
        filled: list[bool] = []

        def read() -> Iterator[Inputs]:
            for y, x in row:
                inputs = self._read(y, x)
                # A tile may be in the ledger and hold nothing clear: no request is spent on it.
                filled.append(bool(inputs["msi_10m"].any()))
                if filled[-1]:
                    yield inputs

        try:
            answers = list(self._client.predict(read()))
        except grpc.RpcError as error:
            if self._patient and error.code() in NOT_READY:
                raise RetryLater(f"the model server is not ready: {error.code().name}: {error.details()}") from error
            raise
        if any(a.shape != empty.shape for a in answers):
            raise ValueError(f"the model answers {answers[0].shape}, not {empty.shape}: it has other classes")
        remaining = iter(answers)
        for has_data in filled:
            yield next(remaining) if has_data else empty
