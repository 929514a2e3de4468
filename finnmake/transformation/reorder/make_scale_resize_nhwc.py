"""MakeScaleResizeNHWC: resizing where the channels are innermost."""

from __future__ import annotations

import onnx_ir as ir

from finnmake.transformation.reorder.move_transpose import Turned
from finnmake.transformation.reorder.turned_images import FIRST, MakeChannelsLast, is_nearest_resize, turned_resize


class MakeScaleResizeNHWC(MakeChannelsLast):
    """Turns a Resize or Upsample behind a Transpose from NHWC, or before Transposes to NHWC.

    Precondition: shapes are known.
    Postcondition: same outputs, bit for bit; scales or sizes are in the order (N, H, W, C), the Transpose is on the
    other side of the node, or gone where one there undoes it. Modes other than nearest stay.
    """

    def can_turn(self, node: ir.Node) -> bool:
        return is_nearest_resize(node)

    def turned(self, graph: ir.Graph, node: ir.Node, source: ir.Value) -> Turned:
        return turned_resize(graph, node, source, FIRST)
