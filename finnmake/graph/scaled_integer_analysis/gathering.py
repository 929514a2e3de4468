"""Gather: rows of a constant table by index, and parts of a tensor at constant places."""

from __future__ import annotations

import onnx_ir as ir

from finnmake.graph.custom_op import attribute
from finnmake.graph.expression import has_channels
from finnmake.graph.model_wrapper import get_constant, get_shape
from finnmake.graph.scaled_integer_analysis.constants import constant_integers
from finnmake.graph.scaled_integer_analysis.tensors import (
    Analysis,
    Gathering,
    IntegerFunction,
    Movement,
    ScaledInteger,
    collapsed,
    first_input,
)


def gather(node: ir.Node, result: Analysis) -> None:
    """Gather of a quantised table, or of integers."""
    data, indices = first_input(node), node.inputs[1]
    if indices is None:
        return
    if data in result.functions:
        _part(node, result.functions[data], get_constant(indices) is not None, result)
        return
    table, function = constant_integers(data, result), result.functions.get(indices)
    if table is None or function is None:
        return
    form, scale = function.affine(), collapsed(table.scale)
    if int(attribute(node, "axis", 0)) % table.integers.ndim != 0 or table.integers.ndim != 2:
        result.reasons[node] = "takes other parts than rows of a matrix"
    elif form is None or (form.scale != 1).any() or form.bias.any() or function.source.minimum < 0:
        result.reasons[node] = "its indices are not the integers of an input"
    elif scale.size > 1:
        result.reasons[node] = "the scale of its table differs between rows or columns; quantise it with one scale"
    else:
        low, high = int(table.datatype.min()), int(table.datatype.max())
        integers = ScaledInteger(node.outputs[0], table.datatype, low, high, scale.astype(float).reshape(()))
        result.decide(node, Gathering(function.source, table), integers)


def _part(node: ir.Node, function: IntegerFunction, constant: bool, result: Analysis) -> None:
    shape = get_shape(first_input(node))
    if not constant or shape is None:
        result.reasons[node] = "its indices are not constant"
    elif int(attribute(node, "axis", 0)) % len(shape) == 0:
        result.reasons[node] = "cuts the batch dimension"
    elif function.source.channels > 1 or has_channels(function.expression):
        result.reasons[node] = "takes parts of a tensor whose scale differs between channels; quantise it first"
    else:
        source = function.source
        moved = ScaledInteger(
            node.outputs[0], source.datatype, source.minimum, source.maximum, source.scale, source.bias, source.exact
        )
        result.functions[node.outputs[0]] = IntegerFunction(moved, function.expression)
        result.operations[node] = Movement(source)
