"""Multiply, add and round in fixed point: the function, and ``Requant``, the op that does it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.errors import ModelError
from finnmake.graph.custom_op import Array, CustomOp, TensorInfo, attribute, describe, required
from finnmake.graph.datatype import AnyDataType, DataType

ROUNDINGS = ("FLOOR", "HALF_UP", "HALF_EVEN")
"""Rounding modes; the place of each is the kernel's number for it."""

Integers = NDArray[np.int64]


def rounded_product(values: Array, multipliers: Array, biases: Array, shift: int, rounding: str) -> Integers:
    """``round((values * multipliers + biases) / 2**shift)``, exactly; nothing is clipped.

    Args:
        values: whole numbers; the sums fit in 62 bits.
        multipliers: broadcast to the values.
        biases: broadcast to the values.
        shift: bits of the fraction.
        rounding: one of ``ROUNDINGS``.
    """
    sums = values.astype(np.int64) * multipliers.astype(np.int64) + biases.astype(np.int64)
    half = 0 if rounding == "FLOOR" or shift == 0 else 1 << (shift - 1)
    results: Integers = (sums + half) >> shift
    if rounding == "HALF_EVEN" and half:
        results -= ((results << shift) == sums + half) & results & 1
    return results


class RequantOp(CustomOp):
    """``Requant(x, multipliers, biases)``: a rounded product of integers, clipped to ``out_dtype``.

    Multipliers and biases are int64 and broadcast to x. Attributes: ``shift``, ``rounding``, ``out_dtype``.
    """

    inputs = (3, 3)
    elementwise = True

    def execute(self, node: ir.Node, inputs: Sequence[Array | None]) -> list[Array]:
        """Whole numbers in float32 in and out."""
        x, multipliers, biases = required(node, inputs, 3)
        shift, rounding = int(attribute(node, "shift", 0)), str(attribute(node, "rounding", "HALF_EVEN"))
        output = DataType[str(attribute(node, "out_dtype"))]
        results = rounded_product(x, multipliers, biases, shift, rounding)
        return [np.clip(results, int(output.min()), int(output.max())).astype(np.float32)]

    def infer_shapes(self, node: ir.Node, inputs: Sequence[TensorInfo]) -> list[tuple[int, ...]]:
        """The shape of the values, to which the constants are broadcast."""
        shape = inputs[0].shape
        try:
            fits = all(np.broadcast_shapes(shape, info.shape) == shape for info in inputs[1:])
        except ValueError:
            fits = False
        if not fits:
            raise ModelError(
                f"its constants of shape {list(inputs[1].shape)} and {list(inputs[2].shape)} do not fit values of "
                f"shape {list(shape)}",
                where=describe(node),
                remedy="Use one number, or one per channel.",
            )
        return [shape]

    def infer_datatypes(self, node: ir.Node, inputs: Sequence[TensorInfo]) -> list[AnyDataType]:
        """What ``out_dtype`` says."""
        return [DataType[str(attribute(node, "out_dtype", "FLOAT32"))]]
