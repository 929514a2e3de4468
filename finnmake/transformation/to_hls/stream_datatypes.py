"""The datatype of what a layer gives, from the datatypes of what it takes.

Annotations of a streamlined graph say which integers occur. A layer is made for all that its inputs' datatypes allow,
which may be more.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping

import numpy as np
import onnx_ir as ir

from finnmake.graph.custom_op import Array, attribute
from finnmake.graph.datatype import AnyDataType, DataType
from finnmake.graph.model_wrapper import get_constant, get_datatype, get_shape
from finnmake.transformation.accumulators import accumulator_datatype

MOST_RESULT_BITS = 62
"""Of an elementwise layer."""

ELEMENTWISE_OPERATIONS: Mapping[str, Callable[[int, int], int]] = {
    "Add": operator.add,
    "Sub": operator.sub,
    "Mul": operator.mul,
}

_MOVES = frozenset(
    """DepthToSpace Flatten Gather Im2Col MaxPoolNHWC Reshape Resize Slice Split Squeeze Transpose Unsqueeze
    Upsample""".split()  # noqa: SIM905
)
"""Ops that give what they take."""


def result_datatype(node: ir.Node) -> AnyDataType | None:
    """The datatype of the integers that the layer of a node gives; None where it is that of the annotation."""
    annotated = get_datatype(node.outputs[0])
    streams = [value for value in node.inputs if value is not None and get_constant(value) is None]
    if not annotated.is_integer() or not streams or not all(get_datatype(value).is_integer() for value in streams):
        return None
    datatypes = [get_datatype(value) for value in streams]
    if node.op_type in _MOVES:
        return datatypes[0] if streams[0] is node.inputs[0] else None
    if node.op_type == "Concat":
        return common_datatype(datatypes) if len(streams) == len(node.inputs) else None
    if node.op_type == "MatMul":
        return accumulator(node, datatypes[0], annotated)
    if node.op_type == "DepthwiseMatMul":
        weights = get_constant(node.inputs[1])
        return None if weights is None else sum_of_products(weights, datatypes[0])
    if node.op_type == "Pad":
        return padded_datatype(datatypes[0], pad_value(node))
    if node.op_type == "ReduceSum":
        return sum_datatype(datatypes[0], _summed(node))
    return elementwise_result(node) if node.op_type in ELEMENTWISE_OPERATIONS else None


def common_datatype(datatypes: list[AnyDataType]) -> AnyDataType:
    """The smallest datatype that holds the values of all of these integer types."""
    if all(datatype == datatypes[0] for datatype in datatypes):
        return datatypes[0]
    low, high = min(int(datatype.min()) for datatype in datatypes), max(int(datatype.max()) for datatype in datatypes)
    return DataType.smallest_for_range(low, high)


def accumulator(node: ir.Node, source: AnyDataType, annotated: AnyDataType) -> AnyDataType:
    """The annotated datatype of a MatMul's sums, widened where its input's datatype allows more.

    A sum of two branches does not use all of its datatype; a layer is made for the datatype.
    """
    possible = accumulator_datatype(node, source)
    if not possible.is_integer() or (annotated.min() <= possible.min() and possible.max() <= annotated.max()):
        return annotated
    low, high = min(annotated.min(), possible.min()), max(annotated.max(), possible.max())
    return DataType.smallest_for_range(int(low), int(high))


def sum_of_products(weights: Array, source: AnyDataType) -> AnyDataType:
    """The sums of a DepthwiseMatMul.

    Args:
        weights: (taps, channels).
        source: datatype of the windows.
    """
    products = [weights * float(bound) for bound in (source.min(), source.max())]
    low = int(np.minimum(*products).sum(axis=0).min())
    high = int(np.maximum(*products).sum(axis=0).max())
    return DataType.smallest_for_range(min(low, 0), max(high, 1))


def sum_datatype(source: AnyDataType, count: int) -> AnyDataType:
    """The sums of so many integers; BIPOLAR counts as INT2."""
    source = DataType["INT2"] if source.name == "BIPOLAR" else source
    return DataType.smallest_for_range(min(0, int(source.min()) * count), max(1, int(source.max()) * count))


def padded_datatype(source: AnyDataType, value: float | None) -> AnyDataType:
    """A stream with a border of one number: its own datatype where it has the number."""
    if value is None or not value.is_integer() or source.allowed(value):
        return source
    holder = DataType.smallest_for_range(min(0, int(value)), max(1, int(value)))
    return common_datatype([source, holder])


def pad_value(node: ir.Node) -> float | None:
    """What a Pad puts around a tensor; None where it is not constant."""
    if len(node.inputs) > 2 and node.inputs[2] is not None:
        given = get_constant(node.inputs[2])
        return None if given is None else float(np.asarray(given).ravel()[0])
    return float(attribute(node, "value", 0.0))


def _summed(node: ir.Node) -> int:
    before, after = get_shape(node.inputs[0]) if node.inputs[0] is not None else None, get_shape(node.outputs[0])
    return int(np.prod(before or (1,))) // max(1, int(np.prod(after or (1,))))


def elementwise_result(node: ir.Node) -> AnyDataType | None:
    """The results of an Add, Sub or Mul; None where they are wider than a layer's can be.

    A constant minus a stream is the stream times -1, plus the constant.
    """
    constants = [get_constant(value) for value in node.inputs]
    datatypes = [
        get_datatype(value) if value is not None and array is None else constant_datatype(np.asarray(array))
        for value, array in zip(node.inputs, constants, strict=True)
    ]
    annotated = get_datatype(node.outputs[0])
    if node.op_type != "Sub" or constants[0] is None:
        return operation_result(node.op_type, datatypes[0], datatypes[1], annotated)
    negated = operation_result("Mul", datatypes[1], constant_datatype(np.array(-1.0)))
    return None if negated is None else operation_result("Add", negated, datatypes[0], annotated)


def operation_result(
    op_type: str, lhs: AnyDataType, rhs: AnyDataType, annotated: AnyDataType | None = None
) -> AnyDataType | None:
    """The annotated datatype where it holds all results, else the smallest that does; None above 62 bits."""
    operation = ELEMENTWISE_OPERATIONS[op_type]
    ends = [operation(int(a), int(b)) for a in (lhs.min(), lhs.max()) for b in (rhs.min(), rhs.max())]
    low, high = min(ends), max(ends)
    if max(-low, high).bit_length() >= MOST_RESULT_BITS:
        return None
    if annotated is not None and _holds(annotated, low, high):
        return annotated
    smallest = DataType.smallest_for_range(min(low, 0), max(high, 1))
    return DataType["INT2"] if smallest.name in ("BIPOLAR", "TERNARY") else smallest


def constant_datatype(array: Array) -> AnyDataType:
    """The smallest datatype of whole numbers."""
    low, high = int(array.min()), int(array.max())
    return DataType.smallest_for_range(min(low, 0), max(high, 1))


def _holds(datatype: AnyDataType, low: int, high: int) -> bool:
    if not datatype.is_integer() or datatype.name in ("BIPOLAR", "TERNARY"):
        return False
    return bool(datatype.min() <= low and high <= datatype.max()) and datatype.bitwidth() <= MOST_RESULT_BITS
