"""Between ONNX nodes of the hardware domain and layers.

A layer's structural fields are the node's attributes of the same names; its parameters are the node's inputs after
those of its streams.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from typing import Any

import numpy as np
import onnx_ir as ir

from finnmake.dataflow.layer import IntegerArray, Layer, Stream
from finnmake.dataflow.registry import HARDWARE_DOMAIN, is_layer, layer_class
from finnmake.dataflow.streamed_weights import takes_weights
from finnmake.errors import FinnmakeError, ModelError
from finnmake.graph.custom_op import attribute, describe
from finnmake.graph.model_wrapper import ModelWrapper, get_constant

PARAMETER_INPUTS: Mapping[str, tuple[str, ...]] = {
    "MatrixVectorActivation": ("weights", "thresholds"),
    "Thresholding": ("thresholds",),
    "VectorVectorActivation": ("weights", "thresholds"),
    "ElementwiseAdd": ("rhs",),
    "ElementwiseSub": ("rhs",),
    "ElementwiseMul": ("rhs",),
    "Requant": ("multipliers", "biases"),
    "Lookup": ("embeddings",),
}
"""Names of a node's inputs after those of its streams, by op type."""


def is_hardware(node: ir.Node) -> bool:
    """True for a node that is a hardware layer."""
    return node.domain == HARDWARE_DOMAIN and is_layer(node.op_type)


def layer_from_node(node: ir.Node, *, with_parameters: bool = True) -> Layer:
    """The layer of a node.

    Args:
        node: of the hardware domain.
        with_parameters: False for its structure alone: checking all weights of a large network takes seconds.

    Raises:
        ModelError: an attribute is missing, a parameter is no constant of integers, or a stream is a constant.
        FoldingError: the folding is not legal; names the node.
    """
    kind = layer_class(node.op_type)
    where = describe(node)
    structure: dict[str, int | str | bool] = {}
    for entry in fields(kind):
        if entry.name == "parameters":
            continue
        value = attribute(node, entry.name)
        if value is None:
            if entry.default is MISSING:
                raise ModelError(f"has no attribute {entry.name}", where=where)
            value = entry.default
        structure[entry.name] = bool(value) if entry.type in ("bool", bool) else value
    try:
        layer: Layer = kind(**structure)
        _check_streams(node, layer)
        if with_parameters and node.op_type in PARAMETER_INPUTS:
            layer = replace(layer, parameters=_parameters(node, layer))
    except FinnmakeError as problem:
        raise type(problem)(problem.what, where=node.name or where, remedy=problem.remedy) from None
    return layer


def _check_streams(node: ir.Node, layer: Layer) -> None:
    for port, value in enumerate(list(node.inputs)[: len(layer.input_streams())]):
        if value is not None and value.is_initializer() and not takes_weights(layer, port):
            raise ModelError(
                f"takes {value.name} as a stream, and no layer gives it",
                remedy="Constants are parameters of a layer, or weights with mem_mode external.",
            )


def _parameters(node: ir.Node, layer: Layer) -> dict[str, IntegerArray]:
    # What comes on a stream is no parameter: names are those of the inputs behind the first.
    names = PARAMETER_INPUTS.get(node.op_type, ())[len(layer.input_streams()) - 1 :]
    parameters = {}
    for name, value in zip(names, list(node.inputs)[len(layer.input_streams()) :], strict=False):
        array = get_constant(value)
        if array is None:
            raise ModelError(f"its {name} are no constant", where=describe(node))
        integers = np.rint(np.asarray(array, dtype=np.float64)).astype(np.int64)
        if not np.array_equal(integers, array):
            raise ModelError(f"its {name} are not all integers", where=describe(node))
        parameters[name] = integers
    return parameters


def hardware_node(layer_type: str, source: ir.Value, structure: Mapping[str, Any], name: str) -> ir.Node:
    """A node of the hardware domain without parameters, for FIFOs and width converters."""
    attributes = [
        ir.AttrString(key, value) if isinstance(value, str) else ir.AttrInt64(key, int(value))
        for key, value in structure.items()
    ]
    return ir.Node(HARDWARE_DOMAIN, layer_type, inputs=[source], attributes=attributes, name=name)


def splice(model: ModelWrapper, value: ir.Value, node: ir.Node) -> None:
    """Puts a node, whose input is ``value``, between ``value`` and its consumers.

    The node's output has the tensor's shape and datatype; where ``value`` was a graph output, the node's output is
    that.
    """
    output = node.outputs[0]
    output.shape, output.type = value.shape, value.type
    output.meta.update(value.meta)
    users = [(use.node, use.idx) for use in value.uses() if use.node is not node]
    producer = value.producer()
    if producer is None:
        model.graph.insert_before(users[0][0], node)
    else:
        model.graph.insert_after(producer, node)
    for user, index in users:
        user.replace_input_with(index, output)


def stream_shape(stream: Stream) -> str:
    """A stream in words: words x elements x datatype."""
    return f"{stream.words_per_frame}x{stream.elements_per_word} {stream.datatype}"
