"""What the embedded server answers: TF Serving's PredictionService and ModelService, as far as maps need them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc

from services.inference.models import Models, Refused

_STATUS = {
    3: grpc.StatusCode.INVALID_ARGUMENT,
    8: grpc.StatusCode.RESOURCE_EXHAUSTED,
    9: grpc.StatusCode.FAILED_PRECONDITION,
    12: grpc.StatusCode.UNIMPLEMENTED,
}


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
