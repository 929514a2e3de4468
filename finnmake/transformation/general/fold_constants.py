"""FoldConstants: what can be computed now is not computed later."""

from __future__ import annotations

from collections.abc import Collection

import onnx_ir as ir

from finnmake.graph.custom_op import CustomOps
from finnmake.graph.editing import remove_unused_nodes
from finnmake.graph.model_wrapper import ModelWrapper, get_constant, get_shape
from finnmake.graph.registry import REGISTERED_OPS
from finnmake.graph.shape_inference import infer_node, infer_where_known
from finnmake.graph.standard_ops import is_standard
from finnmake.transformation.base import Rewrite
from finnmake.transformation.general.constant_folding import become, fold_constant, fold_shape, fold_standard

KEPT = ("Quant", "IntQuant", "BipolarQuant", "QuantizeLinear", "DequantizeLinear")
"""Op types that stay by default: a weight behind its quantiser tells scale and datatype, its folded value does not."""


class FoldConstants(Rewrite):
    """Replaces nodes that depend on constants only by their value, ``Constant`` and ``Shape`` included.

    Precondition: none; ``Shape`` is folded where the shape is known.
    Postcondition: the same function, bit for bit. One pass: what a folded node makes foldable is folded too, and the
    shapes that it makes known are inferred.

    Args:
        exclude_op_types: op types that stay. By default the quantisers: folding those of the weights away would lose
            their scales and datatypes, which ``Streamline`` needs.
        custom_ops: table of custom ops.

    Raises:
        ModelError: where a node cannot be executed, or its value would be larger than 256 MiB.
    """

    def __init__(self, exclude_op_types: Collection[str] = KEPT, custom_ops: CustomOps = REGISTERED_OPS) -> None:
        self._excluded = frozenset(exclude_op_types)
        self._ops = custom_ops

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        opset = model.model.opset_imports.get("", 1)
        for node in list(model.graph):
            if node.op_type not in self._excluded:
                self._fold(node, opset)
            if node.graph is not None:
                infer_where_known(node, opset, self._ops)
        remove_unused_nodes(model)

    def _fold(self, node: ir.Node, opset: int) -> None:
        first = node.inputs[0] if node.inputs else None
        if is_standard(node) and node.op_type == "Constant":
            fold_constant(node, opset)
        elif is_standard(node) and node.op_type == "Shape" and first is not None and get_shape(first) is not None:
            fold_shape(node, opset)
        elif not node.inputs or any(value is not None and get_constant(value) is None for value in node.inputs):
            return
        elif is_standard(node):
            fold_standard(node, opset)
        elif (op := self._ops.find(node)) is not None:
            infer_node(node, opset, self._ops)
            become(node, op.execute(node, [get_constant(value) for value in node.inputs]))
