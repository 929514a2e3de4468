"""RemoveIdentityOps: nodes that give what they get are gone."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from finnmake.graph.custom_op import attribute
from finnmake.graph.editing import replace_value
from finnmake.graph.model_wrapper import ModelWrapper, get_constant, get_shape
from finnmake.graph.standard_ops import is_standard
from finnmake.transformation.base import Rewrite

_NEUTRAL = {"Add": 0.0, "Sub": 0.0, "Mul": 1.0, "Div": 1.0}
_RESHAPES = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Expand"})


class RemoveIdentityOps(Rewrite):
    """Removes Add and Sub of 0, Mul and Div by 1, Identity, Dropout, DebugMarker, Pad by 0, Reshape to the same shape.

    Precondition: shapes are known, else less is found.
    Postcondition: the same function, bit for bit where ``atol`` is 0 (but for the sign of zeros). A node between an
    input and an output of the graph stays.

    Args:
        atol: how far from 0 or 1 a constant may be.
    """

    def __init__(self, atol: float = 0.0) -> None:
        self._atol = atol

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        graph = model.graph
        for node in list(graph):
            source = self._source(node)
            if source is None or any(value.uses() or value.is_graph_output() for value in node.outputs[1:]):
                continue
            output = node.outputs[0]
            if output.is_graph_output() and (source.producer() is None or source.is_graph_output()):
                continue  # an output needs a node of its own
            replace_value(output, source)
            graph.remove(node, safe=True)

    def _source(self, node: ir.Node) -> ir.Value | None:
        """The input that a node gives on; None where it does something."""
        first = node.inputs[0] if node.inputs else None
        if node.op_type == "DebugMarker" and not is_standard(node):
            return first
        if first is None or not is_standard(node):
            return None
        if node.op_type in _NEUTRAL:
            return self._other_operand(node)
        if node.op_type in _RESHAPES:
            shape = get_shape(first)
            return first if shape is not None and shape == get_shape(node.outputs[0]) else None
        keeps = (
            node.op_type == "Identity"
            or (node.op_type == "Dropout" and _keeps_all(node))
            or (node.op_type == "Pad" and _pads_nothing(node))
        )
        return first if keeps else None

    def _other_operand(self, node: ir.Node) -> ir.Value | None:
        if len(node.inputs) != 2:
            return None
        for index in (1, 0) if node.op_type in ("Add", "Mul") else (1,):
            constant, other = get_constant(node.inputs[index]), node.inputs[1 - index]
            if constant is None or other is None or constant.dtype.kind not in "fiu":
                continue
            shape = get_shape(other)
            keeps_shape = constant.ndim == 0 or (shape is not None and shape == get_shape(node.outputs[0]))
            if keeps_shape and bool(np.all(np.abs(constant - _NEUTRAL[node.op_type]) <= self._atol)):
                return other
        return None


def _keeps_all(node: ir.Node) -> bool:
    """True for Dropout in inference: without a true training mode."""
    if len(node.inputs) < 3 or node.inputs[2] is None:
        return True
    training = get_constant(node.inputs[2])
    return training is not None and not training.any()


def _pads_nothing(node: ir.Node) -> bool:
    pads = get_constant(node.inputs[1]) if len(node.inputs) > 1 else attribute(node, "pads")
    return pads is not None and not np.any(pads)
