"""What a sum takes: tensors that are linear in integers, or can be made so."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from finnmake.graph.custom_op import Array
from finnmake.graph.datatype import DataType
from finnmake.graph.expression import Constant, Evaluator, affine_of, steps_of
from finnmake.graph.quantiser import Quantiser
from finnmake.graph.scaled_integer_analysis.tensors import (
    Analysis,
    IntegerFunction,
    Operand,
    Quantisation,
    ScaledInteger,
    collapsed,
)

_MOST_INTEGERS = 256
_NEARLY_WHOLE = 1e-3


def operand_of(node: ir.Node, value: ir.Value | None, result: Analysis) -> Operand | None:
    """A tensor as a linear function of integers; None, with the reason noted, where it is none.

    A function of few integers that is no linear one, but whose values are whole multiples of a scale (ReLU of a signed
    quantised tensor), becomes a quantiser of its own.
    """
    function = result.functions.get(value) if value is not None else None
    if function is None or value is None:
        result.reasons.setdefault(node, "its input is not quantised")
        return None
    form = function.affine()
    if form is None:
        integers = _implied_integers(node, value, function, result)
        if integers is None:
            result.reasons[node] = "its input is not quantised: the activation before it needs a quantiser"
            return None
        function = IntegerFunction(integers)
        form = function.affine()
    return Operand(function.source, form) if form is not None else None


def _implied_integers(
    node: ir.Node, value: ir.Value, function: IntegerFunction, result: Analysis
) -> ScaledInteger | None:
    """The integers that a function of few integers gives, recorded as what its last node does."""
    source, producer = function.source, value.producer()
    linear = affine_of(function.expression, between_limits=True)
    if linear is None or producer is None or producer in result.operations:
        return None
    if source.maximum - source.minimum >= _MOST_INTEGERS:
        return None
    unit = collapsed(np.abs(linear.scale * source.scale))
    opset = node.graph.opset_imports.get("", 1) if isinstance(node.graph, ir.Graph) else 1
    table = _table(function, max(source.channels, unit.size), opset) / unit
    integers = np.rint(table)
    if not np.isfinite(table).all() or (np.abs(table - integers) > _NEARLY_WHOLE).any():
        return None
    low, high = int(integers.min()), int(integers.max())
    if not 0 < high - low < _MOST_INTEGERS:
        return None

    def levels(x: Array) -> Array:
        return np.asarray(np.rint(x / unit).astype(np.int64) - low)

    def boundaries() -> Array:
        middles = np.arange(low, high) + 0.5
        return middles * unit if unit.ndim == 0 else middles[None, :] * unit[:, None]

    datatype = DataType.smallest_for_range(low, high)
    quantiser = Quantiser(datatype, low, high, 1, unit, np.zeros(()), levels, unit.size > 1, boundaries)
    made = ScaledInteger(value, datatype, int(datatype.min()), int(datatype.max()), unit, exact=source.exact)
    result.decide(producer, Quantisation(function, quantiser), made)
    return made


def _table(function: IntegerFunction, channels: int, opset: int) -> Array:
    """The function's values (points, channels) on all its integers."""
    source = function.source
    constants = [
        operand.array.size
        for step in steps_of(function.expression)
        for operand in step.operands
        if isinstance(operand, Constant) and operand.array.ndim
    ]
    points = np.arange(source.minimum, source.maximum + 1)[:, None]
    exact = points * source.scale + source.bias
    shape = len(points), max([channels, *constants])
    values = Evaluator(function.expression, opset)(np.broadcast_to(exact, shape).astype(np.float32))
    return values.astype(np.float64)
