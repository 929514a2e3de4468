"""MakeMaxPoolNHWC: pooling where the channels are innermost."""

from __future__ import annotations

import onnx_ir as ir

from finnmake.transformation.reorder.move_transpose import Turned
from finnmake.transformation.reorder.turned_images import MakeChannelsLast, is_image_pool, turned_pool


class MakeMaxPoolNHWC(MakeChannelsLast):
    """Makes a MaxPool behind a Transpose from NHWC, or before Transposes to NHWC, a MaxPoolNHWC.

    Precondition: shapes are known.
    Postcondition: same outputs, bit for bit; the Transpose is on the other side of the MaxPoolNHWC, or gone where one
    there undoes it. A MaxPool with ``auto_pad`` or whose indices are in use stays.
    """

    def can_turn(self, node: ir.Node) -> bool:
        return is_image_pool(node)

    def turned(self, graph: ir.Graph, node: ir.Node, source: ir.Value) -> Turned:
        return turned_pool(node, source)
