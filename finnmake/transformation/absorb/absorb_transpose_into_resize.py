"""AbsorbTransposeIntoResize: resizing in the order of dimensions in which the tensor is there."""

from __future__ import annotations

import onnx_ir as ir

from finnmake.transformation.reorder.move_transpose import MoveTranspose, Turned, source_of
from finnmake.transformation.reorder.turned_images import is_nearest_resize, turned_resize


class AbsorbTransposeIntoResize(MoveTranspose):
    """Moves a Transpose past a nearest Resize or Upsample whose only input it is, and away with one that undoes it.

    Precondition: shapes are known.
    Postcondition: same outputs, bit for bit; scales or sizes are in the order of the tensor before the Transpose.
    """

    cancel = True

    def turned(self, graph: ir.Graph, node: ir.Node) -> Turned | None:
        found = source_of(node.inputs[0]) if node.inputs else None
        if found is None or not is_nearest_resize(node):
            return None
        return turned_resize(graph, node, *found)
