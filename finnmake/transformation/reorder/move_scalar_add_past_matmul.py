"""MoveScalarAddPastMatMul: (x + b) W is x W + b · (sums of the columns of W)."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from finnmake.graph.model_wrapper import get_constant, get_shape
from finnmake.graph.standard_ops import is_standard
from finnmake.transformation.affine import Affine, Array
from finnmake.transformation.reorder.move_past_op import MoveAffinePastOp


class MoveScalarAddPastMatMul(MoveAffinePastOp):
    """Moves an Add of one number past the MatMul by a constant matrix behind it; it becomes one number per column.

    Precondition: shapes are known; weights are the second operand of MatMul, (rows, columns).
    Postcondition: the same function, bit for bit where all products and sums are exact (integers below 2²⁴,
    multiples of one power of two), else to float32 rounding; no such Add has such a MatMul as its only user.
    """

    op_types = ("Add",)

    def moved_constant(self, operand: Affine, past: ir.Node) -> Array | None:
        """One number per column."""
        if past.op_type != "MatMul" or not is_standard(past) or not operand.is_scalar:
            return None
        matrix, shape = get_constant(past.inputs[1]), get_shape(past.outputs[0])
        if matrix is None or matrix.ndim != 2 or shape is None or len(shape) < 2:
            return None
        sums = matrix.astype(np.float64).sum(axis=0) * float(operand.array.reshape(()))
        with np.errstate(over="ignore"):
            return np.asarray(sums.astype(np.float32)).reshape((1,) * (len(shape) - 1) + (-1,))
