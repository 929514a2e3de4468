"""BatchNormToAffine: batch normalisation as Mul and Add."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.graph.custom_op import attribute
from finnmake.graph.editing import add_initialiser, replace_value
from finnmake.graph.model_wrapper import get_constant, get_shape
from finnmake.graph.standard_ops import is_standard
from finnmake.transformation.affine import across, sole_user
from finnmake.transformation.local_rewrite import LocalRewrite

_RESHAPES = ("Reshape", "Squeeze", "Unsqueeze", "Flatten")


@dataclass(frozen=True)
class _BatchNorm:
    node: ir.Node
    source: ir.Value
    shape: tuple[int, ...]
    factor: NDArray[Any]
    bias: NDArray[Any]


class BatchNormToAffine(LocalRewrite[_BatchNorm]):
    """Makes every BatchNormalization a Mul and an Add of one number per channel.

    A = scale / sqrt(variance + epsilon), B = bias - A · mean, computed in float64 (B with the rounded A). A
    pair of reshapes around it that only adds and removes trailing dimensions of size 1 goes, too.

    Precondition: shapes are known.
    Postcondition: the same function to float32 rounding; a BatchNormalization stays where its parameters are not
    constant, not per channel, not finite, or in training mode. Ends as each rewrite takes one away.
    """

    def match(self, node: ir.Node) -> _BatchNorm | None:
        """A BatchNormalization with constant parameters."""
        if node.op_type != "BatchNormalization" or not is_standard(node) or len(node.inputs) != 5:
            return None
        source = node.inputs[0]
        shape = get_shape(source) if source is not None else None
        arrays = [get_constant(value) for value in node.inputs[1:]]
        found = [array.astype(np.float64) for array in arrays if array is not None]
        if (
            source is None
            or shape is None
            or len(shape) < 2
            or len(found) != 4
            or any(array.shape != (shape[1],) for array in found)
        ):
            return None
        if attribute(node, "training_mode", 0) or any(value.uses() for value in node.outputs[1:]):
            return None
        scale, bias, mean, variance = found
        with np.errstate(all="ignore"):
            factor = (scale / np.sqrt(variance + float(attribute(node, "epsilon", 1e-5)))).astype(np.float32)
            bias = (bias - factor.astype(np.float64) * mean).astype(np.float32)
        if not (np.isfinite(factor).all() and np.isfinite(bias).all()):
            return None
        return _BatchNorm(node, source, shape, factor, bias)

    def replace(self, graph: ir.Graph, match: _BatchNorm) -> Iterable[ir.Node]:
        """Rewrites it."""
        node, output = match.node, match.node.outputs[0]
        source, last, shape = _without_trailing_dimensions(match)
        name, rank = output.name, len(shape)
        factor = add_initialiser(graph, across(match.factor, rank, 1), f"{name} factor")
        bias = add_initialiser(graph, across(match.bias, rank, 1), f"{name} bias")
        mul = ir.node("Mul", [source, factor])
        add = ir.node("Add", [mul.outputs[0], bias])
        for value in (mul.outputs[0], add.outputs[0]):
            value.shape, value.type = ir.Shape(list(shape)), ir.TensorType(ir.DataType.FLOAT)
        graph.insert_before(node, [mul, add])
        replace_value(last.outputs[0], add.outputs[0])
        before = match.source.producer()
        if last is not node:
            graph.remove(last, safe=True)
        graph.remove(node, safe=True)
        if last is not node and before is not None and not before.outputs[0].uses():
            graph.remove(before, safe=True)
        return ()


def _without_trailing_dimensions(match: _BatchNorm) -> tuple[ir.Value, ir.Node, tuple[int, ...]]:
    """What the Mul takes, the last node that goes, and the shape between them."""
    node, source, shape = match.node, match.source, match.shape
    before, behind = source.producer(), sole_user(node.outputs[0])
    if before is not None and behind is not None and _is_reshape(before) and _is_reshape(behind):
        origin = before.inputs[0]
        outer = get_shape(origin) if origin is not None else None
        if (
            origin is not None
            and outer is not None
            and len(outer) > 1
            and get_shape(behind.outputs[0]) == outer
            and shape == outer + (1,) * (len(shape) - len(outer))
            and not before.outputs[0].is_graph_output()
        ):
            return origin, behind, outer
    return source, node, shape


def _is_reshape(node: ir.Node) -> bool:
    return node.op_type in _RESHAPES and is_standard(node)
