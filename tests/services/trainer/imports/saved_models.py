"""SavedModels as protobufs, built by hand: what a graph check has to let in, and what it has to refuse."""

from __future__ import annotations

from typing import Any

from tensorflow.core.framework import function_pb2, node_def_pb2, types_pb2
from tensorflow.core.protobuf import saved_model_pb2

INPUTS = {"msi_10m": 4, "msi_20m": 6}
OUTPUTS = {"serving_default": ("class", "confidence"), "probabilities": ("class", "confidence", "probabilities")}


def node(name: str, op: str, *inputs: str, **functions: str) -> Any:
    """A node; keywords are attributes that name functions."""
    made = node_def_pb2.NodeDef(name=name, op=op, input=inputs)
    for key, function in functions.items():
        made.attr[key].func.name = function
    return made


def constant(name: str, *sides: int, dtype: int = types_pb2.DT_FLOAT) -> Any:
    """A constant of a shape, of one value."""
    made = node(name, "Const")
    tensor = made.attr["value"].tensor
    tensor.dtype = dtype
    for side in sides:
        tensor.tensor_shape.dim.add(size=side)
    return made


def function(name: str, *nodes: Any, arguments: tuple[str, ...] = ()) -> Any:
    """A function of a library."""
    made = function_pb2.FunctionDef(node_def=nodes)
    made.signature.name = name
    for argument in arguments:
        made.signature.input_arg.add(name=argument)
    return made


def plain() -> Any:
    """A SavedModel that is let in: two signatures, one weight, and functions that save and restore it."""
    model = saved_model_pb2.SavedModel(saved_model_schema_version=1)
    meta = model.meta_graphs.add()
    meta.meta_info_def.tags.append("serve")
    graph, library = meta.graph_def, meta.graph_def.library
    graph.node.extend([node("weight", "VarHandleOp"), node("saver_filename", "Placeholder"), node("NoOp", "NoOp")])
    for signature, outputs in OUTPUTS.items():
        described = meta.signature_def[signature]
        for key, bands in INPUTS.items():
            graph.node.append(node(f"{signature}_{key}", "Placeholder"))
            given = described.inputs[key]
            given.name, given.dtype = f"{signature}_{key}:0", types_pb2.DT_UINT16
            for side in (-1, -1, -1, bands):
                given.tensor_shape.dim.add(size=side)
        inputs = [*(f"{signature}_{key}" for key in INPUTS), "weight"]
        graph.node.append(node(f"call_{signature}", "StatefulPartitionedCall", *inputs, f="answer"))
        for number, key in enumerate(outputs):
            answered = described.outputs[key]
            answered.name, answered.dtype = f"call_{signature}:{number}", types_pb2.DT_UINT8
    meta.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name = "NoOp"
    meta.collection_def["saved_model_main_op"].node_list.value.append("NoOp")
    graph.node.append(node("save", "StatefulPartitionedCall", "saver_filename", "weight", f="traced_save"))
    graph.node.append(node("restore", "StatefulPartitionedCall", "saver_filename", "weight", f="traced_restore"))
    meta.saver_def.filename_tensor_name = "saver_filename:0"
    meta.saver_def.save_tensor_name, meta.saver_def.restore_op_name = "save:0", "restore"
    restored = [
        constant("names", 1, dtype=types_pb2.DT_STRING),
        node("RestoreV2", "RestoreV2", "file_prefix", "names"),
        node("assign", "AssignVariableOp", "weight", "RestoreV2"),
    ]
    saved = [
        node("join", "StringJoin", "file_prefix"),
        node("SaveV2", "SaveV2", "join"),
        node("merge", "MergeV2Checkpoints", "join", "file_prefix"),
    ]
    library.function.extend(
        [
            function("answer", node("read", "ReadVariableOp", "weight"), node("conv", "Conv2D", "read")),
            function("traced_restore", *restored, arguments=("file_prefix", "weight")),
            function("traced_save", *saved, arguments=("file_prefix", "weight")),
        ]
    )
    meta.object_graph_def.nodes.add().user_object.identifier = "_generic_user_object"
    meta.object_graph_def.nodes.add().variable.name = "weight"
    return model


def body_of(model: Any, name: str) -> Any:
    """The nodes of a function of a model."""
    (found,) = (f for f in model.meta_graphs[0].graph_def.library.function if f.signature.name == name)
    return found.node_def
