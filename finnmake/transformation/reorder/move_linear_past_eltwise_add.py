"""MoveLinearPastEltwiseAdd: one Mul, or Add, behind the sum of two branches."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from finnmake.graph.model_wrapper import get_shape
from finnmake.transformation.affine import Affine, Array
from finnmake.transformation.reorder.move_past_join import MoveIdenticalOpPastJoinOp


class MoveLinearPastEltwiseAdd(MoveIdenticalOpPastJoinOp):
    """Moves the Muls, or the Adds, of both branches past the Add that joins them, as one.

    x · A + y · A becomes (x + y) · A, where both Muls have equal constants; (x + A) + (y + B) becomes
    (x + y) + (A + B). Both branches have the shape of the sum.

    Precondition: shapes are known.
    Postcondition: the same function, bit for bit where A is a power of two (Mul) or all sums are exact (Add), else to
    float32 rounding; no such pair is left.
    """

    op_types: tuple[str, ...] = ("Mul", "Add")
    join = "Add"

    def joined_constant(self, node: ir.Node, operands: tuple[Affine, ...]) -> Array | None:
        """A, or A + B."""
        shape = get_shape(node.outputs[0])
        if len(operands) != 2 or any(operand.shape != shape for operand in operands):
            return None
        first, second = (operand.array for operand in operands)
        if operands[0].node.op_type == "Mul":
            same = first.size == second.size == 1 and first.reshape(()) == second.reshape(())
            return first if same or np.array_equal(first, second) else None
        with np.errstate(over="ignore"):
            return np.asarray(first + second)
