"""The datatype of sums of products of integers with constant weights, for annotations after a rewrite."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.graph.datatype import AnyDataType, DataType
from finnmake.graph.model_wrapper import get_constant
from finnmake.graph.standard_ops import is_standard
from finnmake.transformation.affine import FLOAT32, whole

_MOST = 1 << 53
"""Below it sums of integers are exact in float64."""


def accumulator_datatype(node: ir.Node, source: AnyDataType) -> AnyDataType:
    """The smallest integer type of the outputs of a MatMul or Conv.

    Args:
        node: any node.
        source: datatype of its first input.

    Returns:
        FLOAT32 where the input is no integer, or the node is no MatMul or Conv with constant integer weights (second
        input) and without bias.
    """
    if not is_standard(node) or len(node.inputs) < 2 or any(value is not None for value in node.inputs[2:]):
        return FLOAT32
    weights = get_constant(node.inputs[1])
    if weights is None or weights.ndim < 2 or not source.is_integer() or not whole(weights):
        return FLOAT32
    if node.op_type == "MatMul" and weights.ndim == 2:
        return _datatype(weights, 0, source)
    if node.op_type == "Conv":
        return _datatype(weights, tuple(range(1, weights.ndim)), source)
    return FLOAT32


def _datatype(weights: NDArray[Any], axes: int | tuple[int, ...], source: AnyDataType) -> AnyDataType:
    # A Conv's padding adds zeros to what the input can be.
    ends = [weights.astype(np.float64) * min(source.min(), 0), weights.astype(np.float64) * max(source.max(), 0)]
    low = float(np.minimum(*ends).sum(axis=axes).min(initial=0))
    high = float(np.maximum(*ends).sum(axis=axes).max(initial=0))
    return DataType.smallest_for_range(int(low), int(high)) if max(-low, high) < _MOST else FLOAT32
