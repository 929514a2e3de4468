"""Add of two branches as ElementwiseAdd."""

from __future__ import annotations

import onnx_ir as ir

from finnmake.graph.model_wrapper import ModelWrapper, get_constant, get_shape
from finnmake.transformation.to_hls.infer_elementwise_binary_operation import InferElementwiseBinaryOperation
from finnmake.transformation.to_hls.infer_layer import Refusal


class InferAddStreamsLayer(InferElementwiseBinaryOperation):
    """Makes every Add of two streams of integers of one shape an ElementwiseAdd; their datatypes may differ.

    Precondition: channels are innermost (``LowerToChannelsLast``).
    Postcondition: same outputs; PE is 1. The output's datatype holds every sum of the inputs' datatypes.
    """

    op_types = ("Add",)

    def infer(self, model: ModelWrapper, node: ir.Node) -> Refusal | None:
        """A layer for one Add of two streams."""
        shapes = [get_shape(value) if value is not None else None for value in node.inputs]
        if any(get_constant(value) is not None for value in node.inputs) or shapes[0] != shapes[1]:
            return None
        return super().infer(model, node)
