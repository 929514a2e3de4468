"""MoveAddPastConv: a number added to an input channel is a number added to every output channel."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from finnmake.graph.custom_op import attribute
from finnmake.graph.model_wrapper import get_constant
from finnmake.graph.standard_ops import is_standard
from finnmake.transformation.affine import Affine, Array, across
from finnmake.transformation.reorder.move_past_op import MoveAffinePastOp


class MoveAddPastConv(MoveAffinePastOp):
    """Moves an Add of one number, or of one per channel, past the Conv with constant weights behind it.

    Padding with 0 comes behind the Add: with pads the borders would get another value, so that the Add stays.

    Precondition: shapes are known.
    Postcondition: the same function, bit for bit where all products and sums are exact (integers below 2²⁴,
    multiples of one power of two), else to float32 rounding; no such Add has a Conv without pads as its only user.
    """

    op_types = ("Add",)

    def moved_constant(self, operand: Affine, past: ir.Node) -> Array | None:
        """One number per output channel: Σ W · B over input channels and kernel."""
        if past.op_type != "Conv" or not is_standard(past) or past.inputs[0] is not operand.output or _is_padded(past):
            return None
        weights, channels = get_constant(past.inputs[1]), operand.along(1)
        if weights is None or channels is None:
            return None
        group = int(attribute(past, "group", 1))
        outputs, per_group = weights.shape[:2]
        added = np.broadcast_to(channels.astype(np.float64), (group * per_group,)).reshape(group, per_group)
        sums = weights.astype(np.float64).reshape(group, outputs // group, per_group, -1).sum(axis=3)
        with np.errstate(over="ignore"):
            constant = np.einsum("goi,gi->go", sums, added).astype(np.float32).reshape(outputs)
        return across(constant, len(operand.shape), 1)


def _is_padded(node: ir.Node) -> bool:
    return any(attribute(node, "pads", ())) or str(attribute(node, "auto_pad", "NOTSET")) not in ("NOTSET", "VALID")
