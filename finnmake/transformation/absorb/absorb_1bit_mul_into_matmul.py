"""Absorb1BitMulIntoMatMul: signs of a product are signs of the weights."""

from __future__ import annotations

import onnx_ir as ir

from finnmake.transformation.absorb.absorb_1bit_mul import Absorb1BitMul, constant_weights
from finnmake.transformation.affine import Affine, Array


class Absorb1BitMulIntoMatMul(Absorb1BitMul):
    """Absorbs a Mul by ±1 (or 0 and 1), one number or one per column, into the weights of the MatMul before it.

    Precondition: shapes are known; weights are the second operand of MatMul, (rows, columns).
    Postcondition: the same function, bit for bit. A Mul stays where the weights' datatype does not hold the product
    (INT2 has no +2 for -2).
    """

    op_type = "MatMul"

    def weigh(self, node: ir.Node, operand: Affine) -> dict[int, Array] | None:
        """The matrix, its columns multiplied."""
        matrix, columns = constant_weights(node, 1, 2), operand.along(-1)
        return None if matrix is None or columns is None else {1: matrix * columns}
