"""MoveTransposePastJoinAdd: branches are added in the order of dimensions in which they are there."""

from __future__ import annotations

import onnx_ir as ir

from finnmake.graph.model_wrapper import get_shape
from finnmake.graph.standard_ops import is_standard
from finnmake.transformation.reorder.move_transpose import MoveTranspose, Turned, common_sources


class MoveTransposePastJoinAdd(MoveTranspose):
    """Moves equal Transposes of both operands past an Add.

    Precondition: shapes are known; both operands have as many dimensions.
    Postcondition: same outputs, bit for bit.
    """

    def turned(self, graph: ir.Graph, node: ir.Node) -> Turned | None:
        if not is_standard(node) or node.op_type != "Add":
            return None
        found = common_sources(list(node.inputs))
        rank = len(get_shape(node.outputs[0]) or ())
        if found is None or len(found[1]) != rank:
            return None
        return Turned(found[1], found[0])
