"""Check the graph of a SavedModel before TensorFlow loads it: every node of every function, against an allow-list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any, Final

from google.protobuf.message import DecodeError
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.dtypes import as_dtype

from services.trainer.imports.operations import OUTERMOST, PREDICTING, RESTORING, SAVING

SERVE: Final = "serve"
INIT: Final = "__saved_model_init_op"

MOST_GRAPH_BYTES: Final = 64 * 1024**2
"""Of `saved_model.pb`; a committee of four networks takes 2.5 MB."""

MOST_NODES: Final = 200_000
"""In all functions together; a committee of four networks has 8,000."""

MOST_NODES_RUN: Final = 1_000_000
"""Nodes that one answer takes, those of a function that is called twice counted twice."""

MOST_CONSTANT_BYTES: Final = 64 * 1024**2
"""Of all constants together, as large as they say they are: a few bytes may stand for any number of equal values."""

MOST_DEPTH: Final = 32
"""Functions that call each other, one in the other."""

OBJECTS: Final = frozenset(
    {"bare_concrete_function", "captured_tensor", "constant", "function", "user_object", "variable"}
)
"""Kinds of objects of a model; tables and files (`resource`, `asset`) run functions while they are loaded."""

CONTAINERS: Final = frozenset(
    {
        "_generic_user_object",
        "signature_map",
        "trackable_dict_wrapper",
        "trackable_list_wrapper",
        "trackable_tuple_wrapper",
    }
)
"""Python objects that hold others and do nothing of their own."""

ATTRIBUTES: Final = frozenset({"_construction_context", "_input_shapes", "_noinline"})
"""Attributes of functions that change nothing; by `api_implements` TensorFlow would run one function for another."""

_CONSTANTS: Final = frozenset(range(types_pb2.DT_FLOAT, types_pb2.DT_UINT64 + 1)) - {
    types_pb2.DT_RESOURCE,
    types_pb2.DT_VARIANT,
}
"""Types of constants: numbers and texts."""

_FLATTEN: Final = "export the model without functions in functions"

_REGISTERED: Final[Mapping[str, str]] = {"constant": "tf.TrackableConstant"}
"""Kind of object -> the name of the class of TensorFlow's own that may make it; others are made by their kind."""

Node = Any
"""A `tensorflow.NodeDef`."""


class UnsafeGraph(ValueError):
    """Raised when a graph may do more than map pixels.

    Args:
        fault: what it holds, and where.
        remedy: what to do.
    """

    def __init__(self, fault: str, remedy: str) -> None:
        super().__init__(f"{fault}; {remedy}")
        self.fault, self.remedy = fault, remedy


def read_graph(folder: Path) -> Any:
    """Return the one graph of a SavedModel's folder, as a checked `tensorflow.MetaGraphDef`.

    Raises:
        UnsafeGraph: it is too large, is not a SavedModel, or may do more than map pixels.
    """
    path = folder / "saved_model.pb"
    if path.stat().st_size > MOST_GRAPH_BYTES:
        raise UnsafeGraph(f"the graph takes more than {MOST_GRAPH_BYTES} bytes", "keep weights in variables")
    try:
        model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    except DecodeError as error:
        raise UnsafeGraph(f"the graph cannot be read: {str(error)[:100]}", "export the model again") from error
    return check_graph(model)


def check_graph(model: Any) -> Any:
    """Return the one graph of a SavedModel.

    Args:
        model: a `tensorflow.SavedModel`.

    Raises:
        UnsafeGraph: it may do more than map pixels.
    """
    if len(model.meta_graphs) != 1 or list(model.meta_graphs[0].meta_info_def.tags) != [SERVE]:
        tags = [list(graph.meta_info_def.tags) for graph in model.meta_graphs]
        raise UnsafeGraph(f"graphs of the tags {str(tags)[:200]}", f"export one graph, of the tag {SERVE}")
    (meta,) = model.meta_graphs
    if meta.asset_file_def:
        raise UnsafeGraph(f"the file {meta.asset_file_def[0].filename[:100]!r}", "build what it says into the layers")
    if not meta.HasField("object_graph_def"):
        raise UnsafeGraph("no objects: it is of TensorFlow 1", "export it with TensorFlow 2")
    _check_objects(meta.object_graph_def)
    functions = _functions_of(meta.graph_def.library)
    nodes = {node.name: node for node in meta.graph_def.node}
    if len(nodes) < len(meta.graph_def.node):
        raise UnsafeGraph("two operations of one name", "export the model again")
    savers = _savers(meta, nodes, functions)
    _check_sizes(meta.graph_def, functions)
    for node in nodes.values():
        _check_node(node, OUTERMOST, "the outermost graph")
    for name, function in functions.items():
        for node in function.node_def:
            _check_node(node, savers.get(name, PREDICTING), f"the function {name}")
    _check_calls(nodes.values(), functions)
    _check_restoring(savers, functions)
    _check_entries(meta, nodes, savers)
    return meta


def _functions_of(library: Any) -> dict[str, Any]:
    """Return name -> function of a graph's library."""
    if library.gradient:
        raise UnsafeGraph("gradients of functions", "export the model for prediction alone")
    functions = {function.signature.name: function for function in library.function}
    if len(functions) < len(library.function):
        raise UnsafeGraph("two functions of one name", "export the model again")
    known = PREDICTING | OUTERMOST | RESTORING | SAVING
    for name, function in functions.items():
        for attribute in sorted(function.attr.keys() - ATTRIBUTES):
            fault = f"a function with the attribute {attribute[:100]} ({name[:100]})"
            raise UnsafeGraph(fault, "export the model for prediction alone, without compiling it")
        if name in known:  # TensorFlow would run the function where the operation is named
            raise UnsafeGraph(f"a function that is called as the operation {name}", "export the model again")
    return functions


def _check_node(node: Node, allowed: frozenset[str], where: str) -> None:
    if node.op not in allowed:
        raise UnsafeGraph(
            f"the operation {node.op[:100]} ({node.name[:100]}) in {where[:200]}",
            "replace the layer that needs it by one of convolutions, poolings and arithmetic, for prediction alone",
        )


def _check_objects(objects: Any) -> None:
    """Check that what is made while a model is loaded runs nothing."""
    for found in objects.nodes:
        kind = found.WhichOneof("kind")
        if kind not in OBJECTS or (kind == "user_object" and found.user_object.identifier not in CONTAINERS):
            named = f" ({found.user_object.identifier[:100]})" if kind == "user_object" else ""
            raise UnsafeGraph(f"an object of the kind {kind}{named}", "track nothing but layers and their weights")
        registered = found.registered_name != _REGISTERED.get(kind, "") and found.registered_name
        if found.saveable_objects or registered or found.registered_saver:
            raise UnsafeGraph(f"an object ({kind}) that is restored by code of its own", "track nothing but layers")


def _check_sizes(graph: Any, functions: Mapping[str, Any]) -> None:
    """Check numbers of nodes, and the bytes that constants take once they are made."""
    count, constants = len(graph.node), 0
    for function in functions.values():
        count += len(function.node_def)
    if count > MOST_NODES:
        raise UnsafeGraph(f"{count:,} operations, more than {MOST_NODES:,}", "export a smaller model")
    for node in _all_nodes(graph, functions):
        for tensor in _tensors_of(node.attr.values()):
            constants += _bytes_of(tensor, node)
            if constants > MOST_CONSTANT_BYTES:
                raise UnsafeGraph(
                    f"constants of more than {MOST_CONSTANT_BYTES} bytes ({node.name[:100]})", "make them variables"
                )


def _all_nodes(graph: Any, functions: Mapping[str, Any]) -> Iterator[Node]:
    yield from graph.node
    for function in functions.values():
        yield from function.node_def


def _tensors_of(attributes: Iterable[Any]) -> Iterator[Any]:
    """Yield every tensor that attributes hold, also as arguments of functions."""
    for attribute in attributes:
        if attribute.HasField("tensor"):
            yield attribute.tensor
        yield from attribute.list.tensor
        for named in _named_functions(attribute):
            yield from _tensors_of(named.attr.values())


def _bytes_of(tensor: Any, node: Node) -> int:
    """Return the bytes of a constant in memory."""
    if tensor.dtype not in _CONSTANTS:
        raise UnsafeGraph(f"a constant that is neither number nor text ({node.name[:100]})", "export the model again")
    sides = [int(dim.size) for dim in tensor.tensor_shape.dim]
    if tensor.tensor_shape.unknown_rank or any(side < 0 for side in sides):
        raise UnsafeGraph(f"a constant without a shape ({node.name[:100]})", "export the model again")
    texts = sum(map(len, tensor.string_val))
    size = prod(sides) * max(int(as_dtype(tensor.dtype).size), 1)
    return max(size, texts, len(tensor.tensor_content))


def _named_functions(attribute: Any) -> Iterator[Any]:
    if attribute.HasField("func"):
        yield attribute.func
    yield from attribute.list.func


def _callees(nodes: Iterable[Node]) -> Iterator[str]:
    """Yield the name of each function that nodes name, once for each time."""

    def named(attributes: Iterable[Any]) -> Iterator[str]:
        for attribute in attributes:
            for function in _named_functions(attribute):
                yield function.name
                yield from named(function.attr.values())

    for node in nodes:
        yield from named(node.attr.values())


def _check_calls(outermost: Iterable[Node], functions: Mapping[str, Any]) -> None:
    """Check that every function that is called is there, that calls end, and how many nodes one answer takes."""
    known: dict[str, tuple[int, int]] = {}

    def look_into(name: str, above: int) -> tuple[int, int]:
        """Return how many nodes a call runs, and how many functions deep."""
        if name not in functions:
            raise UnsafeGraph(f"a call of the function {name[:100]!r}, which is not there", "export the model again")
        if name not in known and above < MOST_DEPTH:
            body = functions[name].node_def
            below = [look_into(callee, above + 1) for callee in _callees(body)]
            known[name] = len(body) + sum(n for n, _ in below), 1 + max((deep for _, deep in below), default=0)
        count, deep = known.get(name, (0, MOST_DEPTH))  # not known: it calls itself, or others too deep
        if above + deep > MOST_DEPTH:
            raise UnsafeGraph(f"functions that call each other more than {MOST_DEPTH} deep ({name[:100]})", _FLATTEN)
        if count > MOST_NODES_RUN:
            raise UnsafeGraph(f"more than {MOST_NODES_RUN:,} operations in one answer ({name[:100]})", _FLATTEN)
        return count, deep

    for callee in (*_callees(outermost), *functions):
        look_into(callee, 0)


def _savers(meta: Any, nodes: Mapping[str, Node], functions: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """Return what the functions that restore and save weights may do: name -> operations.

    They alone may name files, so each is called once, from the outermost graph, with the name that a model server
    feeds, and by nothing else: neither by another function nor by what Python gets to see of the model.
    """
    saver = meta.saver_def
    if not saver.restore_op_name and not saver.save_tensor_name:
        return {}
    fed = _node_of(saver.filename_tensor_name)
    named = [(_node_of(saver.restore_op_name), RESTORING), (_node_of(saver.save_tensor_name), SAVING)]
    found: dict[str, frozenset[str]] = {}
    for caller, allowed in named:
        node = nodes.get(caller)
        callees = list(_callees([node])) if node is not None else []
        if node is None or len(callees) != 1 or not node.input or _node_of(node.input[0]) != fed:
            raise UnsafeGraph(f"a saver that is not TensorFlow's own ({caller[:100]!r})", "export the model again")
        found[callees[0]] = allowed
    if fed not in nodes or nodes[fed].op != "Placeholder" or len(found) != len(named):
        raise UnsafeGraph("a saver that is not TensorFlow's own", "export the model again")
    callers = [name for name in _callees(_all_nodes(meta.graph_def, functions)) if name in found]
    if len(callers) != len(found) or found.keys() & meta.object_graph_def.concrete_functions.keys():
        raise UnsafeGraph("functions that save or restore weights, and are called elsewhere, too", "export it again")
    return found


def _check_restoring(savers: Mapping[str, frozenset[str]], functions: Mapping[str, Any]) -> None:
    """Check that weights are restored from the file that is given, and from no other."""
    for name in (name for name, allowed in savers.items() if allowed is RESTORING):
        function = functions[name]
        given = function.signature.input_arg[0].name if function.signature.input_arg else ""
        for node in function.node_def:
            if node.op == "RestoreV2" and node.input[:1] != [given]:
                raise UnsafeGraph(f"weights that are restored from another file ({node.name[:100]})", "export it again")


def _check_entries(meta: Any, nodes: Mapping[str, Node], savers: Mapping[str, frozenset[str]]) -> None:
    """Check what a model server runs: nothing at the start, and for an answer one function that saves nothing."""
    for name, signature in meta.signature_def.items():
        entries = {_node_of(tensor.name) for tensor in signature.outputs.values()}
        for entry in entries:
            node = nodes.get(entry)
            if name == INIT:
                sound = node is not None and node.op == "NoOp" and not node.input
            else:
                sound = node is not None and _is_plain_call(node, nodes, savers)
            if not sound:
                raise UnsafeGraph(f"{entry[:100]!r} of the signature {name[:100]}", "export it as a `tf.function`")
    for name, collection in meta.collection_def.items():
        started = list(collection.node_list.value)
        if any(
            _node_of(s) not in nodes or nodes[_node_of(s)].op != "NoOp" or nodes[_node_of(s)].input for s in started
        ):
            raise UnsafeGraph(f"what runs at the start ({name[:100]})", "track nothing but layers and their weights")


def _is_plain_call(node: Node, nodes: Mapping[str, Node], savers: Mapping[str, frozenset[str]]) -> bool:
    """Return whether a node calls a function on what is fed, weights and constants, and waits for nothing else."""
    callees = list(_callees([node]))
    given = [nodes.get(_node_of(name)) for name in node.input if not name.startswith("^")]
    return (
        node.op in ("PartitionedCall", "StatefulPartitionedCall")
        and len(callees) == 1
        and callees[0] not in savers
        and len(given) == len(node.input)
        and all(source is not None and source.op in ("Placeholder", "VarHandleOp", "Const") for source in given)
    )


def _node_of(tensor: str) -> str:
    """Return the name of the node that makes a tensor."""
    return tensor.removeprefix("^").partition(":")[0]
