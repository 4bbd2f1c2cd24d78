"""The embedded model server: TF Serving's PredictionService and ModelService over a folder of SavedModels.

`python -m services.inference.server --folder DIR [--port 0]` prints `listening on 127.0.0.1:PORT` and serves
`DIR/<model>/<version>/saved_model.pb` until it is told to end or its parent dies. Bound to the loopback only.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import Any, NoReturn

import grpc

from services.inference.answers import ModelService, PredictionService
from services.inference.models import Models, Refused
from shared.run.signals import die_with_parent, stop_on_signals

THREADS = 2

END_S = 3.0
"""Seconds that answers under way have, once it is told to end: who asked has gone, too, or asks again."""

MAX_MESSAGE_BYTES = 256 * 1024 * 1024


def answer_with_status(
    method: Callable[[Any, grpc.ServicerContext], Any],
) -> Callable[[Any, grpc.ServicerContext], Any]:
    """Turn a refusal into the call's status."""

    def call(request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return method(request, context)
        except Refused as refusal:
            context.abort(refusal.code, str(refusal))

    return call


def make_server(folder: Path, port: int) -> tuple[grpc.Server, int]:
    """Make a server over a folder, not yet started, and return its port too; `port` 0 = any free one."""
    from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

    models = Models(folder)
    prediction, model = PredictionService(models), ModelService(models)
    for service in (prediction, model):
        for name in [n for n in dir(service) if n[0].isupper()]:
            setattr(service, name, answer_with_status(getattr(service, name)))
    # The other methods of the protocol stay UNIMPLEMENTED.
    for name in ("Classify", "Regress", "MultiInference"):
        setattr(prediction, name, _unimplemented)
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=THREADS),
        options=[
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.so_reuseport", 0),  # two servers on one port would each get half of the requests
        ],
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(prediction, server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(model, server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    return server, bound


def _unimplemented(request: Any, context: grpc.ServicerContext) -> NoReturn:
    context.abort(grpc.StatusCode.UNIMPLEMENTED, "only Predict and GetModelMetadata are served")
    raise AssertionError("unreachable")


def main() -> None:
    """Serve until SIGTERM, which also comes when the parent dies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="holds <model>/<version>/saved_model.pb")
    parser.add_argument("--port", type=int, default=0, help="0 = any free one")
    parser.add_argument("--parent", type=int, default=0, help="end when this process, the parent, does")
    parser.add_argument(
        "--remove", action="store_true", help="remove the folder at the end: it is the parent's scratch"
    )
    arguments = parser.parse_args()

    ended = stop_on_signals()
    if arguments.parent:
        # SIGTERM, not SIGKILL: the scratch folder of a killed worker is removed here.
        die_with_parent(arguments.parent, signal.SIGTERM)
    try:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # a machine without a GPU is not an error
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # maps are promised equal bit for bit on a CPU
        import tensorflow as tf

        # Fixed, whatever the machine has: the number of threads can change the last bits of an answer.
        tf.config.threading.set_intra_op_parallelism_threads(2)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        server, port = make_server(arguments.folder, arguments.port)
        server.start()
        sys.stdout.write(f"listening on 127.0.0.1:{port}\n")
        sys.stdout.flush()
        ended.wait()
        server.stop(grace=1).wait(END_S)
    finally:
        if arguments.remove:
            shutil.rmtree(arguments.folder, ignore_errors=True)
    # The interpreter would wait for the threads that answer: for ever, where one hangs.
    os._exit(0)


if __name__ == "__main__":
    main()
