"""MoveScalarMulPastConv: a convolution of a · x is a times the one of x."""

from __future__ import annotations

import onnx_ir as ir

from finnmake.graph.model_wrapper import get_shape
from finnmake.graph.standard_ops import is_standard
from finnmake.transformation.affine import Affine, Array
from finnmake.transformation.reorder.move_past_op import MoveAffinePastOp, scalar_for


class MoveScalarMulPastConv(MoveAffinePastOp):
    """Moves a Mul by one number past the Conv behind it, whatever its pads and groups.

    Precondition: shapes are known; a Conv's bias is a node of its own (``ExtractBiasFromConv``), else the Mul stays.
    Postcondition: the same function, bit for bit where the number is a power of two, else to float32 rounding; no
    such Mul has a Conv without bias as its only user.
    """

    op_types = ("Mul",)
    linear_op = "Conv"
    """Op type of the convolution."""

    def moved_constant(self, operand: Affine, past: ir.Node) -> Array | None:
        """The same number."""
        shape = get_shape(past.outputs[0])
        if (
            past.op_type != self.linear_op
            or not is_standard(past)
            or past.inputs[0] is not operand.output
            or shape is None
        ):
            return None
        if len(past.inputs) > 2 and past.inputs[2] is not None:
            return None  # the bias would be multiplied, too
        return scalar_for(operand, len(shape))
