"""MoveTransposePastScalarMul: one factor for all elements needs no order of dimensions."""

from __future__ import annotations

import onnx_ir as ir

from finnmake.graph.model_wrapper import get_constant
from finnmake.transformation.reorder.move_transpose import Turned
from finnmake.transformation.reorder.move_transpose_past_eltwise import MoveTransposePastEltwise


class MoveTransposePastScalarMul(MoveTransposePastEltwise):
    """Moves a Transpose past a Mul by a single number.

    Precondition: none.
    Postcondition: same outputs, bit for bit.
    """

    def turned(self, graph: ir.Graph, node: ir.Node) -> Turned | None:
        if node.op_type != "Mul" or not any((a := get_constant(v)) is not None and a.size == 1 for v in node.inputs):
            return None
        return super().turned(graph, node)
