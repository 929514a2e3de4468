"""Absorb1BitMulIntoConv: signs of output channels are signs of the weights."""

from __future__ import annotations

import onnx_ir as ir

from finnmake.transformation.absorb.absorb_1bit_mul import Absorb1BitMul, constant_weights
from finnmake.transformation.affine import Affine, Array, across


class Absorb1BitMulIntoConv(Absorb1BitMul):
    """Absorbs a Mul by ±1 (or 0 and 1), one number or one per channel, into the weights of the Conv before it.

    The Conv's bias, where it has one, is multiplied as well.

    Precondition: shapes are known; weights are (channels, channels / group, kernel …).
    Postcondition: the same function, bit for bit. A Mul stays where the datatype of the weights does not hold the
    product (INT2 has no +2 for -2).
    """

    op_type = "Conv"

    def weigh(self, node: ir.Node, operand: Affine) -> dict[int, Array] | None:
        """Weights and bias, multiplied."""
        weights, channels = constant_weights(node, 1), operand.along(1)
        if weights is None or channels is None:
            return None
        found = {1: weights * across(channels, weights.ndim, 0)}
        if len(node.inputs) > 2 and node.inputs[2] is not None:
            bias = constant_weights(node, 2, 1)
            if bias is None:
                return None
            found[2] = bias * channels
        return found
