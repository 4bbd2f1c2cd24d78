"""Only graphs that map pixels are let in: operation by operation, and whatever else a SavedModel can run or read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FORBIDDEN = [
    "ReadFile", "WriteFile", "MatchingFiles", "ImmutableConst", "PyFunc", "PyFuncStateless", "EagerPyFunc", "While",
    "StatelessWhile", "For", "SymbolicGradient", "RemoteCall", "HashTableV2", "InitializeTableFromTextFileV2",
    "LookupTableFindV2", "MutableHashTableV2", "RandomUniform", "RandomStandardNormal", "StatelessRandomUniform",
    "Print", "PrintV2", "Assert", "Abort", "TextLineDataset", "FixedLengthRecordDataset", "TFRecordDataset",
    "GeneratorDataset", "TensorArrayV3", "StackV2", "QueueDequeueV2", "FIFOQueueV2", "Save", "SaveSlices",
    "Restore", "RestoreSlice", "ShardedFilespec", "DecodeJpeg", "DecodeRaw", "ParseTensor", "XlaCustomCallV2",
    "XlaLaunch", "Bitcast", "TemporaryVariable", "Variable", "VariableV2", "Assign", "AssignAddVariableOp",
    "DestroyResourceOp", "Send", "Recv", "_Send", "CollectiveReduceV2", "TPUExecute", "Stage", "Barrier",
    "SdcaOptimizer", "CustomOpOfSomebody", "",
]  # fmt: skip
"""What reads or writes files, runs Python, keeps state, speaks to others, never ends, or is nobody's."""

SAVERS_OWN = ["RestoreV2", "SaveV2", "MergeV2Checkpoints", "ShardedFilename", "StringJoin", "AssignVariableOp"]
"""What the functions that save and restore weights alone may do."""


def refusal(model: Any) -> str:
    """Why a model is refused; empty where it is let in."""
    from services.trainer.imports.graph import UnsafeGraph, check_graph

    try:
        check_graph(model)
    except UnsafeGraph as error:
        return error.fault if error.remedy else "refused without a remedy"
    return ""


def plain() -> Any:
    from tests.services.trainer.imports.saved_models import plain

    return plain()


def node(*arguments: str, **functions: str) -> Any:
    from tests.services.trainer.imports.saved_models import node

    return node(*arguments, **functions)


def function(name: str, *nodes: Any) -> Any:
    from tests.services.trainer.imports.saved_models import function

    return function(name, *nodes)


def body(model: Any, name: str = "answer") -> Any:
    from tests.services.trainer.imports.saved_models import body_of

    return body_of(model, name)


def test_a_plain_model_is_let_in(tmp_path: Path) -> None:
    from services.trainer.imports.graph import read_graph

    assert refusal(plain()) == ""
    (tmp_path / "saved_model.pb").write_bytes(plain().SerializeToString(deterministic=True))
    assert list(read_graph(tmp_path).meta_info_def.tags) == ["serve"]


def test_a_constant_of_python_is_let_in() -> None:
    model = plain()
    found = meta(model).object_graph_def.nodes.add()
    found.constant.operation, found.registered_name = "Const", "tf.TrackableConstant"
    assert refusal(model) == ""


def test_what_is_no_graph_or_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from services.trainer.imports import graph

    (tmp_path / "saved_model.pb").write_bytes(b"\xff" * 100)
    with pytest.raises(graph.UnsafeGraph, match="cannot be read"):
        graph.read_graph(tmp_path)
    monkeypatch.setattr(graph, "MOST_GRAPH_BYTES", 99)
    with pytest.raises(graph.UnsafeGraph, match="more than 99 bytes"):
        graph.read_graph(tmp_path)


@pytest.mark.parametrize("op", [*FORBIDDEN, *SAVERS_OWN])
def test_an_operation_that_is_not_on_the_list_is_refused_by_name(op: str) -> None:
    inside, outside = plain(), plain()
    body(inside).append(node("evil", op))
    assert refusal(inside) == f"the operation {op} (evil) in the function answer"
    if op in ("AssignVariableOp",):  # the first value of a weight
        return
    outside.meta_graphs[0].graph_def.node.append(node("evil", op))
    assert refusal(outside) == f"the operation {op} (evil) in the outermost graph"


def test_each_registered_operation_is_refused_unless_it_is_listed() -> None:
    """Of all that TensorFlow has: those with state but weights and calls, and those without that nobody looked at."""
    from services.trainer.imports.operations import PREDICTING

    operations = registered()
    let_in = set()
    for op in operations:
        model = plain()
        body(model).append(node("it", op))
        if not refusal(model):
            let_in.add(op)
    assert let_in == PREDICTING, "each on the list is an operation of TensorFlow"
    stateful = {op for op in let_in if operations[op]}
    assert stateful == {"StatefulPartitionedCall", "If", "ReadVariableOp"}
    assert sum(operations.values()) > 500


def registered() -> dict[str, bool]:
    """TensorFlow's operations -> whether they have state."""
    from tensorflow.core.framework import op_def_pb2
    from tensorflow.python.client import pywrap_tf_session

    buffer = pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList())
    return {op.name: op.is_stateful for op in op_def_pb2.OpList.FromString(buffer).op}


def test_no_operation_of_the_list_reads_or_makes_texts() -> None:
    """Names of files are texts; `Const` and what passes anything on may hold them, nothing turns them into bytes."""
    from tensorflow.core.framework import op_def_pb2, types_pb2
    from tensorflow.python.client import pywrap_tf_session

    from services.trainer.imports.operations import OUTERMOST, PREDICTING

    buffer = pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList())
    for op in op_def_pb2.OpList.FromString(buffer).op:
        if op.name in PREDICTING | OUTERMOST:
            arguments = [*op.input_arg, *op.output_arg]
            assert types_pb2.DT_STRING not in {a.type for a in arguments}, op.name


def test_every_network_of_ours_would_be_let_in() -> None:
    import keras
    import numpy as np
    import tensorflow as tf

    from services.trainer.fit import BODIES
    from services.trainer.imports.operations import PREDICTING
    from services.trainer.networks.committee import build_committee
    from services.trainer.networks.inputs import Scaling
    from services.trainer.networks.layers import build
    from services.trainer.networks.multiscale import build_multiscale, build_perceptron, build_texture
    from shared.items.model_inputs import ModelInputs

    read = ModelInputs()
    scaling = Scaling(*({name: make(len(bands)) for name, bands in read.bands.items()} for make in (np.zeros, np.ones)))
    networks = {name: build(name, body, 3, 4, read, scaling) for name, body in BODIES.items()}
    networks["multiscale"] = build_multiscale(build_texture(read, scaling), build_perceptron(3), read)
    networks["committee"] = build_committee([networks["multiscale"]], read)
    specs = [tf.TensorSpec((None, None, None, bands), tf.uint16) for bands in (4, 6)]

    def trace(model: keras.Model) -> Any:
        return tf.function(lambda *bands: model(list(bands), training=False), autograph=False)

    for name, model in networks.items():
        graph = trace(model).get_concrete_function(*specs).graph.as_graph_def()
        nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
        assert {n.op for n in nodes} <= PREDICTING, name
        assert len(nodes) > 20, name


Change = Callable[[Any], None]


def meta(model: Any) -> Any:
    return model.meta_graphs[0]


def add_functions(*made: tuple[str, ...]) -> Change:
    """Add functions, each of a name and of the functions that it calls."""

    def change(model: Any) -> None:
        for name, *callees in made:
            calls = [node(f"c{i}", "PartitionedCall", f=callee) for i, callee in enumerate(callees)]
            meta(model).graph_def.library.function.append(function(name, *calls))

    return change


def second_graph(model: Any) -> None:
    model.meta_graphs.add().CopyFrom(meta(model))


def other_tag(model: Any) -> None:
    meta(model).meta_info_def.tags[:] = ["train"]


def a_file(model: Any) -> None:
    meta(model).asset_file_def.add(filename="vocabulary.txt")


def no_objects(model: Any) -> None:
    meta(model).ClearField("object_graph_def")


def a_table(model: Any) -> None:
    meta(model).object_graph_def.nodes.add().resource.device = ""


def an_asset(model: Any) -> None:
    meta(model).object_graph_def.nodes.add().asset.asset_file_def_index = 0


def an_object(model: Any) -> None:
    meta(model).object_graph_def.nodes.add().user_object.identifier = "optimizer"


def own_restoring(model: Any) -> None:
    found = meta(model).object_graph_def.nodes.add()
    found.variable.name = "w"
    found.saveable_objects["w"].restore_function = 1


def own_class(model: Any) -> None:
    found = meta(model).object_graph_def.nodes.add()
    found.variable.name, found.registered_name = "w", "Somebody.Class"


def another_class(model: Any) -> None:
    found = meta(model).object_graph_def.nodes.add()
    found.constant.operation, found.registered_name = "Const", "Somebody.Class"


def in_an_unused_function(model: Any) -> None:
    meta(model).graph_def.library.function.append(function("unused", node("evil", "ReadFile")))


def a_gradient(model: Any) -> None:
    meta(model).graph_def.library.gradient.add(function_name="answer", gradient_func="answer")


def a_shadow(model: Any) -> None:
    meta(model).graph_def.library.function.append(function("Conv2D"))


def twice(model: Any) -> None:
    meta(model).graph_def.library.function.append(function("answer"))


def an_implementation(model: Any) -> None:
    """TensorFlow would run the function that saves wherever the other one is called."""
    for found in meta(model).graph_def.library.function:
        found.attr["api_implements"].s = b"answer"


def a_node_twice(model: Any) -> None:
    meta(model).graph_def.node.insert(0, node("weight", "ReadFile"))


def an_unknown_callee(model: Any) -> None:
    body(model).append(node("call", "PartitionedCall", f="elsewhere"))


def a_branch_elsewhere(model: Any) -> None:
    meta(model).graph_def.library.function.append(function("then"))
    body(model).append(node("if", "If", then_branch="then", else_branch="elsewhere"))


def the_init_saves(model: Any) -> None:
    meta(model).signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name = "save"


def the_init_waits_for(model: Any) -> None:
    (found,) = (n for n in meta(model).graph_def.node if n.name == "NoOp")
    found.input.append("^save")


def a_start(model: Any) -> None:
    meta(model).collection_def["legacy_init_op"].node_list.value.append("restore")


def a_signature_saves(model: Any) -> None:
    meta(model).signature_def["serving_default"].outputs["class"].name = "save:0"


def a_signature_of_a_weight(model: Any) -> None:
    meta(model).signature_def["serving_default"].outputs["class"].name = "weight:0"


def a_signature_waits_for(model: Any) -> None:
    (found,) = (n for n in meta(model).graph_def.node if n.name == "call_serving_default")
    found.input.append("^save")


def a_signature_of_what_assigns(model: Any) -> None:
    nodes = meta(model).graph_def.node
    nodes.append(node("assign", "AssignVariableOp", "weight"))
    (found,) = (n for n in nodes if n.name == "call_serving_default")
    found.input.append("assign")


def another_checkpoint(model: Any) -> None:
    (found,) = (n for n in body(model, "traced_restore") if n.op == "RestoreV2")
    found.input[0] = "names"


def restoring_saves(model: Any) -> None:
    meta(model).saver_def.restore_op_name = "save"


def restoring_writes(model: Any) -> None:
    body(model, "traced_restore").append(node("evil", "SaveV2", "file_prefix"))


def saving_reads(model: Any) -> None:
    body(model, "traced_save").append(node("evil", "ReadFile", "file_prefix"))


def a_function_restores(model: Any) -> None:
    body(model).append(node("evil", "PartitionedCall", f="traced_restore"))


def python_restores(model: Any) -> None:
    meta(model).object_graph_def.concrete_functions["traced_restore"].bound_inputs.append(0)


def a_file_of_its_own(model: Any) -> None:
    (found,) = (n for n in meta(model).graph_def.node if n.name == "restore")
    found.input[0] = "weight"


def a_file_that_is_known(model: Any) -> None:
    (found,) = (n for n in meta(model).graph_def.node if n.name == "saver_filename")
    found.op = "Const"


def no_saver(model: Any) -> None:
    """Its functions stay, and are functions as any other."""
    meta(model).ClearField("saver_def")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (second_graph, "graphs of the tags"),
        (other_tag, "graphs of the tags [['train']]"),
        (a_file, "the file 'vocabulary.txt'"),
        (no_objects, "no objects: it is of TensorFlow 1"),
        (a_table, "an object of the kind resource"),
        (an_asset, "an object of the kind asset"),
        (an_object, "an object of the kind user_object (optimizer)"),
        (own_restoring, "an object (variable) that is restored by code of its own"),
        (own_class, "an object (variable) that is restored by code of its own"),
        (another_class, "an object (constant) that is restored by code of its own"),
        (in_an_unused_function, "the operation ReadFile (evil) in the function unused"),
        (a_gradient, "gradients of functions"),
        (a_shadow, "a function that is called as the operation Conv2D"),
        (twice, "two functions of one name"),
        (an_implementation, "a function with the attribute api_implements"),
        (a_node_twice, "two operations of one name"),
        (an_unknown_callee, "a call of the function 'elsewhere', which is not there"),
        (a_branch_elsewhere, "a call of the function 'elsewhere', which is not there"),
        (add_functions(("a", "b"), ("b", "a")), "functions that call each other more than 32 deep"),
        (add_functions(("self", "self")), "functions that call each other more than 32 deep"),
        (add_functions(("f0",), *((f"f{i + 1}", f"f{i}") for i in range(32))), "functions that call each other more"),
        (add_functions(("f0",), *((f"f{i + 1}", f"f{i}", f"f{i}") for i in range(25))), "more than 1,000,000 operat"),
        (the_init_saves, "'save' of the signature __saved_model_init_op"),
        (the_init_waits_for, "'NoOp' of the signature __saved_model_init_op"),
        (a_start, "what runs at the start (legacy_init_op)"),
        (a_signature_saves, "'save' of the signature serving_default"),
        (a_signature_of_a_weight, "'weight' of the signature serving_default"),
        (a_signature_waits_for, "'call_serving_default' of the signature serving_default"),
        (a_signature_of_what_assigns, "'call_serving_default' of the signature serving_default"),
        (another_checkpoint, "weights that are restored from another file (RestoreV2)"),
        (restoring_saves, "a saver that is not TensorFlow's own"),
        (restoring_writes, "the operation SaveV2 (evil) in the function traced_restore"),
        (saving_reads, "the operation ReadFile (evil) in the function traced_save"),
        (a_function_restores, "functions that save or restore weights, and are called elsewhere, too"),
        (python_restores, "functions that save or restore weights, and are called elsewhere, too"),
        (a_file_of_its_own, "a saver that is not TensorFlow's own ('restore')"),
        (a_file_that_is_known, "a saver that is not TensorFlow's own"),
        (no_saver, "the operation RestoreV2 (RestoreV2) in the function traced_restore"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_what_else_may_run_or_read_is_refused(change: Change, fault: str) -> None:
    model = plain()
    change(model)
    assert refusal(model).startswith(fault)


def test_functions_as_deep_as_is_allowed_are_let_in() -> None:
    model = plain()
    add_functions(("f0",), *((f"f{i + 1}", f"f{i}") for i in range(31)))(model)
    assert refusal(model) == ""


@pytest.mark.parametrize(("sides", "refused"), [((1024, 1024, 16), False), ((1024, 1024, 17), True), ((2**40,), True)])
def test_a_constant_counts_as_large_as_it_says_it_is(sides: tuple[int, ...], refused: bool) -> None:
    from tests.services.trainer.imports.saved_models import constant

    model = plain()
    body(model).append(constant("big", *sides))
    assert ("constants of more than 67108864 bytes (big)" in refusal(model)) is refused


def test_constants_without_shape_or_size_are_refused() -> None:
    from tensorflow.core.framework import types_pb2

    from tests.services.trainer.imports.saved_models import constant

    cases = [constant("c", -1), *(constant("c", 1, dtype=t) for t in (types_pb2.DT_VARIANT, types_pb2.DT_RESOURCE, 0))]
    for case in cases:
        model = plain()
        body(model).append(case)
        assert refusal(model).startswith("a constant")


def test_too_many_nodes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from services.trainer.imports import graph

    monkeypatch.setattr(graph, "MOST_NODES", 10)
    assert refusal(plain()).endswith("operations, more than 10")
