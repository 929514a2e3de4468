"""MoveTransposePastSplit: a tensor is split in the order of dimensions in which it is there."""

from __future__ import annotations

import onnx_ir as ir

from finnmake.graph.custom_op import attribute
from finnmake.graph.standard_ops import is_standard
from finnmake.transformation.reorder.move_transpose import MoveTranspose, Turned, source_of


class MoveTransposePastSplit(MoveTranspose):
    """Moves a Transpose past a Split, whose axis follows; each part gets a Transpose.

    Precondition: none.
    Postcondition: same outputs, bit for bit.
    """

    def turned(self, graph: ir.Graph, node: ir.Node) -> Turned | None:
        found = source_of(node.inputs[0]) if is_standard(node) and node.op_type == "Split" else None
        if found is None:
            return None
        source, permutation = found
        attributes = {**node.attributes, "axis": permutation[int(attribute(node, "axis", 0))]}
        return Turned(permutation, [source, *node.inputs[1:]], attributes)
