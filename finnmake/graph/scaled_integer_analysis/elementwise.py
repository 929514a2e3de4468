"""Elementwise ops: they become part of the expression over the integers before them."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from finnmake.graph.expression import BINARY, Constant, NotPerChannelError, Source, Step, channel_constant
from finnmake.graph.model_wrapper import get_constant, get_shape
from finnmake.graph.scaled_integer_analysis.constants import constant_value
from finnmake.graph.scaled_integer_analysis.tensors import Analysis, IntegerFunction


def elementwise(node: ir.Node, result: Analysis) -> None:
    """An op on one tensor of integers and constants of its channels."""
    present = [value for value in node.inputs if value is not None]
    functions = [result.functions[value] for value in present if value in result.functions]
    if not functions:
        return
    source = functions[0].source
    if any(function.source is not source for function in functions):
        result.reasons[node] = f"{node.op_type} of two branches has no layer"
        return
    if node.op_type == "Clip" and present[0] in result.functions and _changes_nothing(node, functions[0]):
        result.functions[node.outputs[0]] = functions[0]
        return
    rank = len(get_shape(node.outputs[0]) or ())
    operands: list[Source | Constant | Step | None] = []
    for value in node.inputs:
        if value is None:
            operands.append(None)
        elif value in result.functions:
            operands.append(result.functions[value].expression)
        else:
            array = constant_value(value, result)
            if array is None:
                result.reasons[node] = f"its operand {value.name} is neither quantised nor constant"
                return
            array = array.astype("float32") if array.dtype.kind in "iu" and node.op_type == "Clip" else array
            try:
                whole = node.op_type in BINARY
                operands.append(channel_constant(array, rank) if whole else Constant(array))
            except NotPerChannelError:
                result.reasons[node] = f"its constant of shape {list(array.shape)} differs within a channel"
                return
    if get_shape(node.outputs[0]) != get_shape(source.value):
        result.reasons[node] = "changes the shape by broadcasting"
        return
    result.functions[node.outputs[0]] = IntegerFunction(source, Step(node, tuple(operands)))


def _changes_nothing(clip: ir.Node, function: IntegerFunction) -> bool:
    """True where the bounds lie around all values that the integers stand for."""
    form = function.affine() if isinstance(function.expression, Source) else None
    if form is None:
        return False
    ends = np.stack([form.scale * q + form.bias for q in (function.source.minimum, function.source.maximum)])
    low, high = (get_constant(value) for value in (*clip.inputs[1:3], None, None)[:2])
    given = [value for value in clip.inputs[1:3] if value is not None]
    if any(limit is None or limit.size != 1 for limit in map(get_constant, given)):
        return False
    return (low is None or bool((ends >= low.astype(np.float64)).all())) and (
        high is None or bool((ends <= high.astype(np.float64)).all())
    )
