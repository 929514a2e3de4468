"""MoveScalarMulPastMatMul: (a · x) W is a · (x W)."""

from __future__ import annotations

import onnx_ir as ir

from finnmake.graph.model_wrapper import get_shape
from finnmake.graph.standard_ops import is_standard
from finnmake.transformation.affine import Affine, Array
from finnmake.transformation.reorder.move_past_op import MoveAffinePastOp, scalar_for


class MoveScalarMulPastMatMul(MoveAffinePastOp):
    """Moves a Mul by one number past the MatMul behind it, whichever operand it is.

    Precondition: shapes are known.
    Postcondition: the same function, bit for bit where the number is a power of two, else to float32 rounding; no
    such Mul has a MatMul as its only user.
    """

    op_types = ("Mul",)

    def moved_constant(self, operand: Affine, past: ir.Node) -> Array | None:
        """The same number."""
        shape = get_shape(past.outputs[0])
        if past.op_type != "MatMul" or not is_standard(past) or shape is None:
            return None
        return scalar_for(operand, len(shape))
