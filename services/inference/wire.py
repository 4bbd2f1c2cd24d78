"""TF Serving's Predict on the wire: the messages that a client needs, without TensorFlow.

They have the numbers of `tensorflow/core/framework/tensor.proto` and `tensorflow_serving/apis/predict.proto`, in a pool
of their own: both may be loaded in one process. TensorFlow's own modules would load all of it, which takes seconds.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PREDICT_METHOD: Final = "/tensorflow.serving.PredictionService/Predict"

DT_FLOAT, DT_INT32, DT_UINT8, DT_UINT16 = 1, 3, 4, 17
"""Of the enum `tensorflow.DataType`."""

_FieldType = descriptor_pb2.FieldDescriptorProto
_INT32, _INT64, _FLOAT = _FieldType.TYPE_INT32, _FieldType.TYPE_INT64, _FieldType.TYPE_FLOAT
_STRING, _BYTES, _MESSAGE = _FieldType.TYPE_STRING, _FieldType.TYPE_BYTES, _FieldType.TYPE_MESSAGE

_MESSAGES: Final[dict[str, list[tuple[str, int, Any, bool, str]]]] = {
    "Dim": [("size", 1, _INT64, False, "")],
    "TensorShapeProto": [("dim", 2, _MESSAGE, True, "Dim")],
    "TensorProto": [
        ("dtype", 1, _INT32, False, ""),
        ("tensor_shape", 2, _MESSAGE, False, "TensorShapeProto"),
        ("tensor_content", 4, _BYTES, False, ""),
        ("float_val", 5, _FLOAT, True, ""),
        ("int_val", 7, _INT32, True, ""),
    ],
    "Int64Value": [("value", 1, _INT64, False, "")],
    "ModelSpec": [
        ("name", 1, _STRING, False, ""),
        ("version", 2, _MESSAGE, False, "Int64Value"),
        ("signature_name", 3, _STRING, False, ""),
    ],
    # A map is a repeated pair of key and value.
    "NamedTensor": [("key", 1, _STRING, False, ""), ("value", 2, _MESSAGE, False, "TensorProto")],
    "PredictRequest": [
        ("model_spec", 1, _MESSAGE, False, "ModelSpec"),
        ("inputs", 2, _MESSAGE, True, "NamedTensor"),
        ("output_filter", 3, _STRING, True, ""),
    ],
    "PredictResponse": [
        ("outputs", 1, _MESSAGE, True, "NamedTensor"),
        ("model_spec", 2, _MESSAGE, False, "ModelSpec"),
    ],
}
"""Message -> (field, number, type, repeated, message type)."""


def _make() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="predict.proto", package="landstream", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind, repeated, type_name in fields:
            label = _FieldType.LABEL_REPEATED if repeated else _FieldType.LABEL_OPTIONAL
            added = message.field.add(name=field, number=number, type=kind, label=label)
            if type_name:
                added.type_name = f".landstream.{type_name}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = {name: pool.FindMessageTypeByName(f"landstream.{name}") for name in _MESSAGES}
    return {name: message_factory.GetMessageClass(descriptor) for name, descriptor in found.items()}


_CLASSES = _make()
TensorProto: Any = _CLASSES["TensorProto"]
PredictRequest: Any = _CLASSES["PredictRequest"]
PredictResponse: Any = _CLASSES["PredictResponse"]
