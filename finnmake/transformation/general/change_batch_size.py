"""ChangeBatchSize: the first dimension of everything."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from finnmake.errors import ModelError
from finnmake.graph.editing import add_initialiser
from finnmake.graph.model_wrapper import ModelWrapper, get_constant
from finnmake.graph.registry import REGISTERED_OPS
from finnmake.graph.shape_inference import infer_where_known
from finnmake.graph.standard_ops import is_standard
from finnmake.transformation.base import Rewrite


class ChangeBatchSize(Rewrite):
    """Writes a batch size into all inputs and into the constant target shapes of Reshape nodes.

    Precondition: the batch is the first dimension of all inputs and stays it.
    Postcondition: the same function of each sample; all tensors have their new shapes.

    Args:
        bsize: the batch size, at least 1.

    Raises:
        ModelError: for a batch size below 1, an input without dimensions, and where the model depends on its batch
            size.
    """

    def __init__(self, bsize: int) -> None:
        if int(bsize) < 1:
            raise ModelError(f"a batch of {bsize} has no samples")
        self._size = int(bsize)

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        for value in model.graph.inputs:
            if value.is_initializer():
                continue
            if value.shape is None or len(value.shape) == 0:
                raise ModelError("has no dimension for the batch", where=f"input {value.name}")
            value.shape = ir.Shape([self._size, *list(value.shape)[1:]])
        opset = model.model.opset_imports.get("", 1)
        for node in model.graph:
            if node.op_type == "Reshape" and is_standard(node):
                self._reshape(model, node)
            infer_where_known(node, opset, REGISTERED_OPS)

    def _reshape(self, model: ModelWrapper, node: ir.Node) -> None:
        source, target = node.inputs[0], get_constant(node.inputs[1])
        if source is None or source.is_initializer() or target is None or target.size == 0 or target[0] in (0, -1):
            return
        shape = np.array([self._size, *target[1:]], dtype=np.int64)
        node.replace_input_with(1, add_initialiser(model.graph, shape, f"{node.outputs[0].name} shape"))
