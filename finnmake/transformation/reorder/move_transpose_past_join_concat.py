"""MoveTransposePastJoinConcat: branches are joined in the order of dimensions in which they are there."""

from __future__ import annotations

import onnx_ir as ir

from finnmake.graph.custom_op import attribute
from finnmake.graph.standard_ops import is_standard
from finnmake.transformation.reorder.move_transpose import MoveTranspose, Turned, common_sources


class MoveTransposePastJoinConcat(MoveTranspose):
    """Moves equal Transposes of all inputs past a Concat, whose axis follows.

    Precondition: none.
    Postcondition: same outputs, bit for bit.
    """

    def turned(self, graph: ir.Graph, node: ir.Node) -> Turned | None:
        found = common_sources(list(node.inputs)) if is_standard(node) and node.op_type == "Concat" else None
        if found is None:
            return None
        sources, permutation = found
        return Turned(permutation, sources, {"axis": permutation[int(attribute(node, "axis", 1))]})
