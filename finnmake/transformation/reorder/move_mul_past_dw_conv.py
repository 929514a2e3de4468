"""MoveMulPastDWConv: a depthwise convolution keeps channels apart, and so a factor per channel."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from finnmake.graph.custom_op import attribute
from finnmake.graph.model_wrapper import get_shape
from finnmake.graph.standard_ops import is_standard
from finnmake.transformation.affine import Affine, Array, across
from finnmake.transformation.reorder.move_past_op import MoveAffinePastOp


class MoveMulPastDWConv(MoveAffinePastOp):
    """Moves a Mul by one number per channel past the depthwise Conv (group = input channels) behind it.

    Precondition: shapes are known; the Conv's bias is a node of its own (``ExtractBiasFromConv``), else the Mul stays.
    Postcondition: the same function, bit for bit where the numbers are powers of two, else to float32 rounding; no
    such Mul has a depthwise Conv without bias as its only user.
    """

    op_types = ("Mul",)

    def moved_constant(self, operand: Affine, past: ir.Node) -> Array | None:
        """One number per output channel: each input channel's for all outputs of its group."""
        shape, channels = get_shape(past.outputs[0]), operand.along(1)
        if past.op_type != "Conv" or not is_standard(past) or past.inputs[0] is not operand.output:
            return None
        if shape is None or channels is None or (len(past.inputs) > 2 and past.inputs[2] is not None):
            return None
        inputs = operand.shape[1]
        if int(attribute(past, "group", 1)) != inputs:
            return None
        if channels.size == 1:
            return channels.reshape(())
        return across(np.repeat(channels, shape[1] // inputs), len(shape), 1)
