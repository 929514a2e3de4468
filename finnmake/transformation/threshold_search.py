"""The exact threshold of a function in front of a MultiThreshold, in float32 as the model computes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.graph.datatype import AnyDataType, DataType
from finnmake.graph.general_ops import QUANTISER_DOMAINS
from finnmake.transformation.affine import FLOAT32, whole

Array = NDArray[Any]

_LARGEST = np.float32(np.finfo(np.float32).max)
_MAGNITUDE = np.int64(0x7FFFFFFF)


def is_multi_threshold(node: ir.Node | None) -> bool:
    """True for MultiThreshold under any of its domains."""
    return node is not None and node.op_type == "MultiThreshold" and node.domain in QUANTISER_DOMAINS


def smallest_reaching(function: Callable[[Array], Array], levels: Array) -> Array:
    """The smallest finite float32 x with function(x) ≥ level, for every level; the largest float32 where none is.

    Args:
        function: elementwise and rising (not necessarily strictly) in each element, float32 in, float32 out.
        levels: float32, any shape.
    """
    low = np.full(levels.shape, _key(-_LARGEST), dtype=np.int64)
    high = np.full(levels.shape, _key(_LARGEST), dtype=np.int64)
    with np.errstate(over="ignore", invalid="ignore"):
        while (low < high).any():
            middle = (low + high) >> 1
            reached = function(_float(middle)) >= levels
            low, high = np.where(reached, low, middle + 1), np.where(reached, middle, high)
            low = np.minimum(low, high)
    return _float(high)


def integer_thresholds_like(exact: Array, simple: Array, source: AnyDataType) -> Array:
    """Thresholds for an integer tensor: as the formula gives them where they have the effect of the exact ones.

    x ≥ t is x ≥ ceil(t) for an integer x, so that the exact float32 threshold 1.9999999 may be written 2.

    Args:
        exact: of ``smallest_reaching``.
        simple: the same by the formula.
        source: datatype of the integers.
    """
    needed = np.clip(np.ceil(exact), np.float32(source.min()), np.float32(source.max() + 1))
    with np.errstate(invalid="ignore"):
        same = np.isfinite(simple) & (np.ceil(simple) == needed)
    return np.where(same, simple, needed).astype(np.float32)


def threshold_datatype(thresholds: Array, source: AnyDataType) -> AnyDataType:
    """The smallest integer type of thresholds for integers; FLOAT32 where either is no integer."""
    if not source.is_integer() or not whole(thresholds):
        return FLOAT32
    return DataType.smallest_for_range(int(thresholds.min()), int(thresholds.max()))


def _key(number: np.float32) -> int:
    bits = int(np.float32(number).view(np.int32))
    return bits if bits >= 0 else -(bits & int(_MAGNITUDE))


def _float(keys: Array) -> Array:
    """Float32 numbers by their rank: neighbours in rank are neighbouring numbers."""
    magnitudes = np.abs(keys).astype(np.uint32)
    return np.where(keys < 0, magnitudes | np.uint32(0x80000000), magnitudes).astype(np.uint32).view(np.float32)
