"""InferShapes: every tensor has a shape."""

from __future__ import annotations

from finnmake.errors import ModelError
from finnmake.graph.custom_op import CustomOps
from finnmake.graph.model_wrapper import ModelWrapper, get_shape
from finnmake.graph.registry import REGISTERED_OPS
from finnmake.graph.shape_inference import infer_where_known
from finnmake.transformation.base import Rewrite


class InferShapes(Rewrite):
    """Gives every tensor its shape and element type.

    Precondition: the inputs have static shapes (``ChangeBatchSize`` closes an open batch).
    Postcondition: all tensors have shapes, but for those behind a Reshape (or the like) whose target shape is still
    computed in the graph: ``FoldConstants`` makes it a constant and goes on from there. Nodes of an op that is not
    known stay as they are where their outputs have shapes. Linear in the number of nodes.

    Args:
        custom_ops: table of custom ops.

    Raises:
        ModelError: where shapes do not fit, or an op is not known.
    """

    def __init__(self, custom_ops: CustomOps = REGISTERED_OPS) -> None:
        self._ops = custom_ops

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        opset = model.model.opset_imports.get("", 1)
        for value in model.graph.inputs:
            if get_shape(value) is None:
                raise ModelError(
                    f"its shape {value.shape} is not known or open",
                    where=f"input {value.name}",
                    remedy="Export the model with a fixed input shape, or apply ChangeBatchSize to an open batch.",
                )
        for node in model.graph:
            infer_where_known(node, opset, self._ops)
