"""Nodes that make integers: Quant, BipolarQuant, MultiThreshold, Trunc, QuantizeLinear; and DequantizeLinear."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from finnmake.graph.custom_op import attribute
from finnmake.graph.expression import ELEMENTWISE, Constant, NotPerChannelError, Source, Step, affine_of
from finnmake.graph.model_wrapper import get_constant, get_shape
from finnmake.graph.quantiser import Quantiser, clipped, quantiser_of, quantize_linear_of, trunc_levels, trunc_of
from finnmake.graph.scaled_integer_analysis.constants import (
    dequantised_constant,
    not_constant,
    quantised_constant,
)
from finnmake.graph.scaled_integer_analysis.tensors import (
    EXACT_FLOAT32,
    Analysis,
    IntegerFunction,
    Quantisation,
    ScaledInteger,
    first_input,
)
from finnmake.graph.standard_ops import is_standard

_MOST_THRESHOLDS = 255
_MOST_LEVELS = 1 << 16
"""Of a quantiser that is computed in fixed point."""


def quantiser(node: ir.Node, result: Analysis) -> None:
    """Quant, BipolarQuant and MultiThreshold, on constants, on functions of integers, and on the model's float input.

    Raises:
        ModelError: for parameters that are not constant or make no sense.
    """
    source = first_input(node)
    array = get_constant(source)
    if array is not None:
        quantised_constant(node, array, result)
        return
    function = result.functions.get(source)
    if function is None and not _is_of_float_input(source):
        return
    if any(get_constant(value) is None for value in node.inputs[1:]):
        raise not_constant(node)
    try:
        found = quantiser_of(node, len(get_shape(source) or ()))
    except NotPerChannelError:
        result.reasons[node] = "its parameters have more than one number per channel"
        return
    _decide(node, function, found, result)


def trunc(node: ir.Node, result: Analysis) -> None:
    """Trunc of 5 inputs (whose range is that of its input) and of 6.

    Raises:
        ModelError: for parameters that are not constant or make no sense.
    """
    function = result.functions.get(first_input(node))
    if function is None:
        return
    if any(value is None or get_constant(value) is None for value in node.inputs[1:]):
        raise not_constant(node)
    try:
        if len(node.inputs) < 6:
            form = function.affine()
            if form is None:
                result.reasons[node] = "its range is not known: the activation before it needs a quantiser"
                return
            ends = np.stack(
                [np.atleast_1d(form.scale * q + form.bias) for q in (function.source.minimum, function.source.maximum)]
            )
            reached = trunc_levels(node, ends.astype(np.float32))
            found = trunc_of(node, len(get_shape(first_input(node)) or ()), int(reached.min()), int(reached.max()))
        else:
            found = trunc_of(node, len(get_shape(first_input(node)) or ()))
    except NotPerChannelError:
        result.reasons[node] = "its parameters have more than one number per channel"
        return
    _decide(node, function, found, result)


def quantize_linear(node: ir.Node, result: Analysis) -> None:
    """QuantizeLinear; a Clip that is its only user narrows it.

    Raises:
        ModelError: for parameters that are not constant or make no sense.
    """
    source = first_input(node)
    function = result.functions.get(source)
    if function is None and not _is_of_float_input(source):
        return
    if any(value is not None and get_constant(value) is None for value in node.inputs[1:]):
        raise not_constant(node)
    try:
        found = quantize_linear_of(node, len(get_shape(source) or ()))
    except NotPerChannelError:
        result.reasons[node] = "its parameters have more than one number per channel"
        return
    users = list(node.outputs[0].consumers())
    if len(users) == 1 and users[0].op_type == "Clip" and is_standard(users[0]):
        limits = [None if value is None else get_constant(value) for value in (*users[0].inputs[1:], None, None)[:2]]
        low, high = (None if limit is None else int(limit.ravel()[0]) for limit in limits)
        found = clipped(found, low, high)
    _decide(node, function, found, result)


def dequantize_linear(node: ir.Node, result: Analysis) -> None:
    """DequantizeLinear of constants, and of activations: (integer - zero point) · scale.

    Raises:
        ModelError: for parameters that are not constant.
    """
    source = first_input(node)
    array = get_constant(source)
    if array is not None:
        dequantised_constant(node, array, result)
        return
    function = result.functions.get(source)
    if function is None:
        return
    parameters = [None if value is None else get_constant(value) for value in node.inputs[1:]]
    scale = parameters[0] if parameters else None
    zero = parameters[1] if len(parameters) > 1 else np.zeros((), dtype=np.int64)
    if scale is None or zero is None:
        raise not_constant(node)
    rank = len(get_shape(source) or ())
    if max(scale.size, zero.size) > 1 and int(attribute(node, "axis", 1)) % max(rank, 1) != 1:
        result.reasons[node] = "its parameters differ along another axis than the channels"
        return
    expression: Source | Step = function.expression
    for op_type, numbers, neutral in (("Sub", zero, 0), ("Mul", scale, 1)):
        if (numbers != neutral).any():
            constant = Constant(numbers.astype(np.float32).reshape(() if numbers.size == 1 else -1))
            expression = Step(_elementwise_node(op_type, node.outputs[0]), (expression, constant))
    result.functions[node.outputs[0]] = IntegerFunction(function.source, expression)


def _elementwise_node(op_type: str, like: ir.Value) -> ir.Node:
    """A node that says what a step of an expression does; it is in no graph."""
    return ir.Node("", op_type, [], outputs=[ir.Value(shape=like.shape, type=like.type)])


def _is_of_float_input(value: ir.Value) -> bool:
    """True for a float input of the model, and for what elementwise ops and constants make of it."""
    producer = value.producer()
    while producer is not None and is_standard(producer) and producer.op_type in ELEMENTWISE:
        moving = [entry for entry in producer.inputs if entry is not None and get_constant(entry) is None]
        if len(moving) != 1:
            return False
        value, producer = moving[0], moving[0].producer()
    return value.is_graph_input()


def _decide(node: ir.Node, function: IntegerFunction | None, found: Quantiser, result: Analysis) -> None:
    fixed_point = found.thresholds > _MOST_THRESHOLDS
    reason = _not_in_fixed_point(function, found) if fixed_point else ""
    if reason:
        result.reasons[node] = f"it has {found.thresholds + 1} levels, too many for thresholds, and {reason}"
        return
    if function is not None and max(-function.source.minimum, function.source.maximum) >= EXACT_FLOAT32:
        result.reasons[node] = f"its input is {function.source.datatype}, which float32 does not hold"
        return
    # The range is the datatype's, as hardware sees it, even where narrow quantisation leaves out its lowest value.
    low, high = int(found.datatype.min()), int(found.datatype.max())
    integers = ScaledInteger(node.outputs[0], found.datatype, low, high, found.scale, found.bias)
    result.decide(node, Quantisation(function, found, fixed_point), integers)


def _not_in_fixed_point(function: IntegerFunction | None, found: Quantiser) -> str:
    """Why a quantiser cannot be a multiplication and an addition; "" where it may be."""
    if found.thresholds >= _MOST_LEVELS:
        return f"more than the {_MOST_LEVELS} that a layer gives"
    if function is None:
        return "its input is floats"
    if affine_of(function.expression, between_limits=True) is None:
        return "what is before it is no multiplication and addition"
    return ""
