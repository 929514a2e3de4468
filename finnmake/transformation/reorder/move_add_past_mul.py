"""MoveAddPastMul: (x + B) · A is x · A + B · A."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from finnmake.transformation.affine import Affine, Array, affine
from finnmake.transformation.reorder.move_past_op import MoveAffinePastOp


class MoveAddPastMul(MoveAffinePastOp):
    """Moves Add past Mul, both with constants, so that Muls meet Muls and Adds meet Adds.

    Precondition: shapes are known.
    Postcondition: the same function, bit for bit where A is a power of two, else to float32 rounding; no Add of a
    constant has a Mul by a constant as its only user.
    """

    op_types = ("Add",)

    def moved_constant(self, operand: Affine, past: ir.Node) -> Array | None:
        """B · A."""
        mul = affine(past, "Mul")
        if mul is None:
            return None
        with np.errstate(over="ignore"):
            return np.asarray(operand.array * mul.array)
