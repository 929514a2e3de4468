"""Quantisation arithmetic, as QONNX defines it, in NumPy.

Float32 in, float32 out, operation by operation in QONNX' order: division by the scale, zero point, clipping,
rounding. The order matters at ties, where the last bit decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finnmake.errors import ModelError
from finnmake.graph.datatype import AnyDataType, DataType

Array = NDArray[Any]

_MANY_STEPS = 255
"""With more thresholds bisection is faster than comparing with each."""

_BLOCK_ELEMENTS = 1 << 16
"""Values that are compared with all thresholds before the next ones, so that they stay in the cache."""

ROUNDING_MODES: dict[str, Callable[[Array], Array]] = {
    "ROUND": np.round,
    "HALF_EVEN": np.round,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "UP": lambda x: np.asarray(np.sign(x) * np.ceil(np.abs(x))),
    "DOWN": np.trunc,
    "ROUND_TO_ZERO": np.trunc,
    "HALF_UP": lambda x: np.asarray(np.sign(x) * np.floor(np.abs(x) + np.float32(0.5))),
    "HALF_DOWN": lambda x: np.asarray(np.sign(x) * np.ceil(np.abs(x) - np.float32(0.5))),
}


@dataclass(frozen=True)
class IntegerFormat:
    """The integers that a Quant node produces.

    Attributes:
        bits: bit width.
        signed: two's complement rather than unsigned.
        narrow: the lowest (signed) or highest (unsigned) value is left out.
    """

    bits: int
    signed: bool
    narrow: bool

    @property
    def bipolar(self) -> bool:
        """1-bit signed: -1 and +1, no zero."""
        return self.bits == 1 and self.signed

    @property
    def minimum(self) -> int:
        """Smallest integer."""
        if self.bipolar:
            return -1
        return -(1 << (self.bits - 1)) + int(self.narrow) if self.signed else 0

    @property
    def maximum(self) -> int:
        """Largest integer."""
        if self.bipolar:
            return 1
        values: int = 1 << (self.bits - 1 if self.signed else self.bits)
        return values - 1 - int(self.narrow and not self.signed)

    def datatype(self) -> AnyDataType:
        """BIPOLAR, BINARY, TERNARY (2-bit signed narrow), else INTn or UINTn."""
        if self.bits == 1:
            return DataType["BIPOLAR" if self.signed else "BINARY"]
        if self.bits == 2 and self.signed and self.narrow:
            return DataType["TERNARY"]
        return DataType[f"{'INT' if self.signed else 'UINT'}{self.bits}"]


def rounding(mode: str) -> Callable[[Array], Array]:
    """The rounding function of a mode's name, upper or lower case.

    Raises:
        ModelError: for a mode that QONNX does not know.
    """
    try:
        return ROUNDING_MODES[mode.upper()]
    except KeyError:
        known = ", ".join(ROUNDING_MODES)
        raise ModelError(f"no rounding mode is called {mode!r}", remedy=f"Known: {known}.") from None


def quantise(x: Array, scale: Array, zero_point: Array, integers: IntegerFormat, mode: str) -> Array:
    """Float values to integers (held in float32), zero point included.

    Args:
        x: float32, any shape.
        scale: float32, broadcastable to ``x``.
        zero_point: float32, broadcastable to ``x``.
        integers: the range to clip to.
        mode: name of the rounding mode.
    """
    scaled = np.asarray(_on_first(np.add, np.asarray(x / scale), zero_point))
    if integers.bipolar:
        return np.where(scaled >= 0, np.float32(1), np.float32(-1))
    np.clip(scaled, np.float32(integers.minimum), np.float32(integers.maximum), out=scaled)
    return rounding(mode)(scaled)


def dequantise(q: Array, scale: Array, zero_point: Array) -> Array:
    """Integers (held in float32, a tensor that is not used any more) back to float values: (q - zero point) · scale."""
    return _on_first(np.multiply, _on_first(np.subtract, q, zero_point), scale)


def _on_first(operation: np.ufunc, first: Array, second: Array) -> Array:
    """The result in the memory of the first operand where it fits: new memory costs more than the arithmetic."""
    fits = np.result_type(first, second) == first.dtype and np.broadcast_shapes(first.shape, np.shape(second)) == (
        first.shape
    )
    return np.asarray(operation(first, second, out=first if fits else None))


def count_thresholds(x: Array, thresholds: Array, axis: int = 1) -> Array:
    """How many thresholds of its channel each element reaches (x ≥ t).

    Args:
        x: shape (N, C, …), any number; or with C on another axis.
        thresholds: shape (C or 1, steps), ascending along the steps or not.
        axis: of the channels: 1 or -1.

    Returns:
        float32, shape of ``x``.
    """
    channels, steps = thresholds.shape
    if steps > _MANY_STEPS and not np.isnan(x).any():
        return _search(x, np.sort(thresholds, axis=1), axis)
    counts = np.zeros(x.shape, dtype=np.uint8 if steps <= _MANY_STEPS else np.uint32)
    shape = [1] * x.ndim
    shape[axis] = channels
    columns = thresholds.T.reshape(steps, *shape)
    samples = max(1, _BLOCK_ELEMENTS * len(x) // max(1, x.size))
    for start in range(0, len(x), samples):
        values, block = x[start : start + samples], counts[start : start + samples]
        for column in columns:
            np.add(block, values >= column, out=block)
    return counts.astype(np.float32)


def _search(x: Array, thresholds: Array, axis: int) -> Array:
    """As ``count_thresholds``, by bisection: thresholds ascend, there is no NaN."""
    if len(thresholds) == 1:
        return np.searchsorted(thresholds[0], x, side="right").astype(np.float32)
    counts = np.empty(x.shape, dtype=np.float32)
    by_channel, values = np.moveaxis(counts, axis, 0), np.moveaxis(x, axis, 0)
    for channel, row in enumerate(thresholds):
        by_channel[channel] = np.searchsorted(row, np.ascontiguousarray(values[channel]), side="right")
    return counts
