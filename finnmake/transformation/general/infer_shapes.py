"""InferShapes: every tensor has a shape."""

from __future__ import annotations

from finnmake.graph.custom_op import CustomOps
from finnmake.graph.model_wrapper import ModelWrapper, get_shape
from finnmake.graph.registry import REGISTERED_OPS
from finnmake.graph.shape_inference import infer_node
from finnmake.graph.standard_ops import is_standard
from finnmake.transformation.base import Rewrite


class InferShapes(Rewrite):
    """Gives every tensor its shape and element type.

    Precondition: the inputs have static shapes (``ChangeBatchSize`` closes an open batch).
    Postcondition: all tensors have shapes. Nodes of an op that is not known stay as they are where their outputs have
    shapes. Linear in the number of nodes.

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
        for node in model.graph:
            known = is_standard(node) or self._ops.find(node) is not None
            if known or any(get_shape(value) is None for value in node.outputs):
                infer_node(node, opset, self._ops)
