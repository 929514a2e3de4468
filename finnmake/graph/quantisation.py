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
    scaled = x / scale
    scaled = scaled + zero_point
    if integers.bipolar:
        return np.where(scaled >= 0, np.float32(1), np.float32(-1))
    np.clip(scaled, np.float32(integers.minimum), np.float32(integers.maximum), out=scaled)
    return rounding(mode)(scaled)


def dequantise(q: Array, scale: Array, zero_point: Array) -> Array:
    """Integers (held in float32) back to float values: (q - zero point) · scale."""
    return (q - zero_point) * scale


def count_thresholds(x: Array, thresholds: Array, axis: int = 1) -> Array:
    """How many thresholds of its channel each element reaches (x ≥ t).

    Args:
        x: shape (N, C, …), any number; or with C on another axis.
        thresholds: shape (C or 1, steps), ascending along the steps or not.
        axis: of the channels: 1 or -1.

    Returns:
        float32, shape of ``x``.
    """
    shape = [1] * x.ndim
    shape[axis] = thresholds.shape[0]
    counts = np.zeros(x.shape, dtype=np.float32)
    for step in range(thresholds.shape[1]):
        counts += x >= thresholds[:, step].reshape(shape)
    return counts
