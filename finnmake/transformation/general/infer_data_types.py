"""InferDataTypes: what integers flow where."""

from __future__ import annotations

from finnmake.graph.custom_op import CustomOps
from finnmake.graph.datatype_inference import infer_datatypes
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.graph.registry import REGISTERED_OPS
from finnmake.transformation.base import Rewrite


class InferDataTypes(Rewrite):
    """Annotates every tensor with the datatype that follows from those of the inputs and constants.

    Precondition: shapes are known; inputs and weights are annotated.
    Postcondition: sums and products of integers are INT32 or UINT32 as in qonnx, or wider where 32 bits do not hold
    them; a narrower integer type that is annotated already stays. Ops that move values keep their datatype; outputs of
    other ops keep their annotation. One pass, linear in the number of nodes.

    Args:
        custom_ops: table of custom ops.
    """

    def __init__(self, custom_ops: CustomOps = REGISTERED_OPS) -> None:
        self._ops = custom_ops

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        for node in model.graph:
            infer_datatypes(node, self._ops)
