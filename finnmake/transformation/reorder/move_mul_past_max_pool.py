"""MoveMulPastMaxPool: the largest of a · x is a times the largest x, for a ≥ 0."""

from __future__ import annotations

import onnx_ir as ir

from finnmake.graph.datatype import AnyDataType
from finnmake.graph.general_ops import QUANTISER_DOMAINS
from finnmake.graph.model_wrapper import get_datatype
from finnmake.graph.standard_ops import is_standard
from finnmake.transformation.affine import Affine, Array
from finnmake.transformation.reorder.move_past_op import MoveAffinePastOp


class MoveMulPastMaxPool(MoveAffinePastOp):
    """Moves a Mul by one number, or by one per channel, none negative, past the MaxPool (or MaxPoolNHWC) behind it.

    Precondition: shapes are known.
    Postcondition: the same function, bit for bit; no such Mul has a MaxPool as its only user.
    """

    op_types = ("Mul",)
    exact = True

    def moved_constant(self, operand: Affine, past: ir.Node) -> Array | None:
        """The same constant: the pool keeps the channels and the rank."""
        if past.op_type == "MaxPool" and is_standard(past):
            channels = operand.along(1)
        elif past.op_type == "MaxPoolNHWC" and past.domain in QUANTISER_DOMAINS:
            channels = operand.along(-1)
        else:
            return None
        return None if channels is None or (channels < 0).any() else operand.array

    def datatype_between(self, operand: Affine, past: ir.Node) -> AnyDataType:
        """A pool makes no new values."""
        return get_datatype(operand.source)
