"""The embedded model server: TF Serving's PredictionService and ModelService over a folder of SavedModels.

`python -m services.inference.server --folder DIR [--port 0]` prints `listening on 127.0.0.1:PORT` and serves
`DIR/<model>/<version>/saved_model.pb` until it is told to end or its parent dies. Bound to the loopback only.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import shutil
import signal
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import Any, NoReturn

import grpc

THREADS = 2
MOST_LOADED = 2
"""Versions kept in memory; the one not asked for the longest is dropped."""

MAX_MESSAGE_BYTES = 256 * 1024 * 1024

_PR_SET_PDEATHSIG = 1


class Refused(Exception):
    """Raised with the gRPC status that TF Serving would answer."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class Models:
    """The SavedModels below a folder, loaded when first asked for.

    Only numbered folders that hold a `saved_model.pb` count: whoever puts a model there renames a whole folder into
    place, as TF Serving wants it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths: dict[str, Path] | None = None
        self._loaded: OrderedDict[tuple[str, int], Any] = OrderedDict()
        self._lock = threading.Lock()

    def configure(self, paths: dict[str, Path]) -> None:
        """Serve these models and no other.

        Raises:
            Refused: a base path is not below the served folder.
        """
        for name, path in paths.items():
            if not path.resolve().is_relative_to(self._folder.resolve()) or not path.is_dir():
                raise Refused(
                    grpc.StatusCode.INVALID_ARGUMENT, f"base path {path} of {name} is no folder of this server"
                )
        with self._lock:
            self._paths = dict(paths)
            for key in [k for k in self._loaded if k[0] not in paths]:
                del self._loaded[key]

    def versions(self, name: str) -> list[int]:
        """Complete versions of a model, ascending."""
        base = self._base(name)
        if base is None or not base.is_dir():
            return []
        return sorted(int(p.name) for p in base.iterdir() if p.name.isdecimal() and (p / "saved_model.pb").is_file())

    def is_loaded(self, name: str, version: int) -> bool:
        """Whether a version is in memory."""
        return (name, version) in self._loaded

    def choose(self, spec: Any) -> int:
        """The version that a ModelSpec means.

        Raises:
            Refused: there is none.
        """
        if not spec.name:
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "Missing ModelSpec")
        if spec.version_label:
            raise Refused(
                grpc.StatusCode.INVALID_ARGUMENT, f"Unrecognized servable version label: {spec.version_label}"
            )
        versions = self.versions(spec.name)
        if spec.HasField("version"):
            wanted = int(spec.version.value)
            if wanted not in versions:
                text = f"Servable not found for request: Specific({spec.name}, {wanted})"
                raise Refused(grpc.StatusCode.NOT_FOUND, text)
            return wanted
        if not versions:
            raise Refused(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: Latest({spec.name})")
        return versions[-1]

    def load(self, name: str, version: int) -> Any:
        """A version's SavedModel."""
        import tensorflow as tf

        with self._lock:
            key = (name, version)
            if key not in self._loaded:
                self._loaded[key] = tf.saved_model.load(str(self.path(name, version)))
                while len(self._loaded) > MOST_LOADED:
                    self._loaded.popitem(last=False)
            self._loaded.move_to_end(key)
            return self._loaded[key]

    def path(self, name: str, version: int) -> Path:
        """Folder of a version."""
        base = self._base(name)
        assert base is not None
        return base / str(version)

    def _base(self, name: str) -> Path | None:
        if self._paths is not None:
            return self._paths.get(name)
        # A name is one folder below the root, whatever a client sends.
        return self._folder / name if name not in {"", ".", ".."} and "/" not in name and "\0" not in name else None


class PredictionService:
    """`tensorflow.serving.PredictionService`, as far as SavedModels with named tensors go."""

    def __init__(self, models: Models) -> None:
        self._models = models

    def Predict(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Run a signature."""
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        spec = request.model_spec
        version = self._models.choose(spec)
        signature = spec.signature_name or "serving_default"
        signatures = self._models.load(spec.name, version).signatures
        if signature not in signatures:
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, f'Serving signature key "{signature}" not found.')
        function = signatures[signature]
        wanted = function.structured_input_signature[1]
        if set(request.inputs) != set(wanted):
            raise Refused(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"input size does not match signature: inputs must be {sorted(wanted)}, not {sorted(request.inputs)}",
            )
        unknown = set(request.output_filter) - set(function.structured_outputs)
        if unknown:
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, f"output tensor alias not found: {min(unknown)}")
        try:
            inputs = {name: tf.constant(tf.make_ndarray(tensor)) for name, tensor in request.inputs.items()}
        except (TypeError, ValueError) as error:
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, f"tensor cannot be parsed: {error}") from error
        for name, value in inputs.items():
            if value.dtype != wanted[name].dtype or not wanted[name].shape.is_compatible_with(value.shape):
                expected, given = (f"{t.dtype.name} {t.shape}" for t in (wanted[name], value))
                raise Refused(grpc.StatusCode.INVALID_ARGUMENT, f"{name} must be {expected}, not {given}")
        try:
            outputs = function(**inputs)
        except tf.errors.OpError as error:
            raise Refused(_STATUS.get(error.error_code, grpc.StatusCode.INTERNAL), str(error.message)[:1000]) from error
        response = predict_pb2.PredictResponse()
        response.model_spec.name = spec.name
        response.model_spec.version.value = version
        response.model_spec.signature_name = signature
        for name, value in outputs.items():
            if not request.output_filter or name in request.output_filter:
                response.outputs[name].CopyFrom(tf.make_tensor_proto(value.numpy()))
        return response

    def GetModelMetadata(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Tell the signatures of a model."""
        from tensorflow.core.protobuf import saved_model_pb2
        from tensorflow_serving.apis import get_model_metadata_pb2

        if not request.metadata_field:
            raise Refused(
                grpc.StatusCode.INVALID_ARGUMENT, "GetModelMetadataRequest must specify at least one metadata_field"
            )
        for field in request.metadata_field:
            if field != "signature_def":
                raise Refused(grpc.StatusCode.INVALID_ARGUMENT, f"Metadata field {field} is not supported")
        version = self._models.choose(request.model_spec)
        path = self._models.path(request.model_spec.name, version) / "saved_model.pb"
        graphs = saved_model_pb2.SavedModel.FromString(path.read_bytes()).meta_graphs
        served = next(g for g in graphs if "serve" in g.meta_info_def.tags)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        for name, signature in served.signature_def.items():
            signatures.signature_def[name].CopyFrom(signature)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = request.model_spec.name
        response.model_spec.version.value = version
        response.metadata["signature_def"].Pack(signatures)
        return response


class ModelService:
    """`tensorflow.serving.ModelService`."""

    def __init__(self, models: Models) -> None:
        self._models = models

    def GetModelStatus(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Tell the state of a model's versions; a complete folder counts as available, it is loaded when asked for."""
        from tensorflow_serving.apis import get_model_status_pb2

        spec = request.model_spec
        if spec.HasField("version") or not spec.name or spec.version_label:
            versions = [self._models.choose(spec)]
        else:
            versions = self._models.versions(spec.name)
        if not versions:
            raise Refused(grpc.StatusCode.NOT_FOUND, f"Could not find any versions of model {spec.name}")
        response = get_model_status_pb2.GetModelStatusResponse()
        for version in reversed(versions):
            state = response.model_version_status.add()
            state.version = version
            state.state = get_model_status_pb2.ModelVersionStatus.AVAILABLE
        return response

    def HandleReloadConfigRequest(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Replace the whole set of served models."""
        from tensorflow_serving.apis import model_management_pb2

        if request.config.WhichOneof("config") != "model_config_list":
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "Server was not given a model_config_list")
        configs = request.config.model_config_list.config
        names = [c.name for c in configs]
        if len(set(names)) != len(names) or not all(names):
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "Illegal to have a model without or with another's name")
        self._models.configure({c.name: Path(c.base_path) for c in configs})
        return model_management_pb2.ReloadConfigResponse()


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
    """A server over a folder, not yet started, and its port; `port` 0 = any free one."""
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


_STATUS = {
    3: grpc.StatusCode.INVALID_ARGUMENT,
    8: grpc.StatusCode.RESOURCE_EXHAUSTED,
    9: grpc.StatusCode.FAILED_PRECONDITION,
    12: grpc.StatusCode.UNIMPLEMENTED,
}


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

    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    if arguments.parent:
        # SIGTERM, not SIGKILL: the scratch folder of a killed worker is removed here.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != arguments.parent:
            ended.set()
    try:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # a machine without GPU is no error
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
        server.stop(grace=1).wait()
    finally:
        if arguments.remove:
            shutil.rmtree(arguments.folder, ignore_errors=True)


if __name__ == "__main__":
    main()
