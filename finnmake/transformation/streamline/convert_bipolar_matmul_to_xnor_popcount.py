"""ConvertBipolarMatMulToXnorPopcount: ±1 products as equal bits."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from finnmake.graph.datatype import DataType
from finnmake.graph.editing import add_initialiser
from finnmake.graph.general_ops import GENERAL_DOMAIN
from finnmake.graph.model_wrapper import ModelWrapper, get_constant, get_datatype, get_shape, set_datatype
from finnmake.graph.naming import name_by_position
from finnmake.transformation.base import Rewrite

_BIPOLAR, _BINARY = DataType["BIPOLAR"], DataType["BINARY"]


class ConvertBipolarMatMulToXnorPopcount(Rewrite):
    """Makes every MatMul of BIPOLAR activations and weights an XnorPopcountMatMul of BINARY ones.

    With p of K products equal to +1 the product is 2p - K: thresholds t become ceil((t + K) / 2), other users get 2p
    - K.

    Precondition: ``Streamline``: the BIPOLAR activations come from MultiThreshold nodes.
    Postcondition: same outputs. A MatMul stays where a tensor of its inputs is used by something else too.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        for node in model.get_nodes_by_op_type("MatMul"):
            if _convertible(node):
                _convert(model, node)
        name_by_position(model)


def _convertible(node: ir.Node) -> bool:
    source, weights = node.inputs[0], node.inputs[1]
    if source is None or weights is None or get_constant(weights) is None:
        return False
    if get_datatype(source) != _BIPOLAR and not _is_converted(source):
        return False
    producer = source.producer()
    return (
        get_datatype(weights) == _BIPOLAR
        and producer is not None
        and producer.op_type == "MultiThreshold"
        and not source.is_graph_output()
        and all(_takes_bipolar(user, source) for user in source.consumers())
    )


def _takes_bipolar(user: ir.Node, source: ir.Value) -> bool:
    weights = user.inputs[1] if len(user.inputs) > 1 else None
    return (
        user.op_type in ("MatMul", "XnorPopcountMatMul")
        and user.inputs[0] is source
        and weights is not None
        and get_datatype(weights) in (_BIPOLAR, _BINARY)
    )


def _is_converted(source: ir.Value) -> bool:
    """True where another MatMul of the same tensor has been converted before."""
    return any(user.op_type == "XnorPopcountMatMul" for user in source.consumers())


def _convert(model: ModelWrapper, node: ir.Node) -> None:
    graph, source, weights, output = model.graph, node.inputs[0], node.inputs[1], node.outputs[0]
    array = get_constant(weights)
    producer = source.producer() if source is not None else None
    if array is None or source is None or producer is None:
        return
    inner = array.shape[0]
    producer.attributes.add(ir.AttrString("out_dtype", _BINARY.name))
    producer.attributes.add(ir.AttrFloat32("out_scale", 1.0))
    producer.attributes.add(ir.AttrFloat32("out_bias", 0.0))
    set_datatype(source, _BINARY)
    node.domain, node.op_type = GENERAL_DOMAIN, "XnorPopcountMatMul"
    node.replace_input_with(1, add_initialiser(graph, ((array + 1) / 2).astype(np.float32), "weights", _BINARY))
    others = [(use.node, use.idx) for use in output.uses() if not _takes_counts(use.node)]
    thresholded = [use.node for use in output.uses() if use.node.op_type == "MultiThreshold"]
    counts = DataType.smallest_for_range(0, inner + 1 if thresholded else inner)
    set_datatype(output, counts)
    for user in thresholded:
        thresholds = np.ceil((np.asarray(get_constant(user.inputs[1])) + inner) / 2)
        user.replace_input_with(
            1, add_initialiser(graph, np.clip(thresholds, 0, inner + 1).astype(np.float32), "thresholds", counts)
        )
    if others or output.is_graph_output():
        _add_product(graph, node, inner, others)


def _takes_counts(user: ir.Node) -> bool:
    """True for MultiThreshold, whose thresholds are converted, and for a TopK of which only the indices are used."""
    if user.op_type == "TopK":
        return not user.outputs[0].uses() and not user.outputs[0].is_graph_output()
    return user.op_type == "MultiThreshold"


def _add_product(graph: ir.Graph, node: ir.Node, inner: int, users: list[tuple[ir.Node, int]]) -> None:
    """2p - K for users that want the product itself."""
    output = node.outputs[0]
    double = ir.node("Mul", [output, add_initialiser(graph, np.float32(2), "two")])
    product = ir.node("Add", [double.outputs[0], add_initialiser(graph, np.float32(-inner), "minus_inner")])
    for value in (double.outputs[0], product.outputs[0]):
        value.shape, value.type = ir.Shape(list(get_shape(output) or ())), ir.TensorType(ir.DataType.FLOAT)
    set_datatype(product.outputs[0], DataType.smallest_for_range(-inner, inner))
    graph.insert_after(node, [double, product])
    for user, index in users:
        user.replace_input_with(index, product.outputs[0])
    for index, value in enumerate(graph.outputs):
        if value is output:
            graph.outputs[index] = product.outputs[0]
