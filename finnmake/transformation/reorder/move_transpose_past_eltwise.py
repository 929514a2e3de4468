"""MoveTransposePastEltwise: what is done to every element alike can be done before or after a Transpose."""

from __future__ import annotations

import onnx_ir as ir

from finnmake.graph.model_wrapper import get_constant, get_shape
from finnmake.transformation.channels_last.images import is_elementwise
from finnmake.transformation.reorder.move_transpose import MoveTranspose, Turned, common_sources, turned_constant


class MoveTransposePastEltwise(MoveTranspose):
    """Moves a Transpose past an elementwise op; constants that are not single numbers are turned.

    Where an op has several operands that are no constants, all must have the same Transpose.

    Precondition: shapes are known.
    Postcondition: same outputs, bit for bit. MultiThreshold has a transformation of its own:
    ``AbsorbTransposeIntoMultiThreshold``.
    """

    def turned(self, graph: ir.Graph, node: ir.Node) -> Turned | None:
        if node.op_type == "MultiThreshold" or not is_elementwise(node):
            return None
        found = common_sources([v for v in node.inputs if v is not None and get_constant(v) is None])
        if found is None or len(found[1]) != len(get_shape(node.outputs[0]) or ()):
            return None
        sources, permutation = found
        inputs: list[ir.Value | None] = []
        for value in node.inputs:
            if value is None:
                inputs.append(None)
            elif get_constant(value) is None:
                inputs.append(sources.pop(0))
            else:
                turned = turned_constant(graph, value, permutation)
                if turned is None:
                    return None
                inputs.append(turned)
        return Turned(permutation, inputs)
