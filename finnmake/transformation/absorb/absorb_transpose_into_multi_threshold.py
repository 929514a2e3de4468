"""AbsorbTransposeIntoMultiThreshold: thresholds where the channels are innermost."""

from __future__ import annotations

import onnx_ir as ir

from finnmake.graph.general_ops import channel_axis
from finnmake.graph.model_wrapper import get_constant
from finnmake.graph.transposes import to_channels_first
from finnmake.transformation.reorder.move_transpose import MoveTranspose, Turned, source_of

_LAYOUTS = {3: "NWC", 4: "NHWC"}


class AbsorbTransposeIntoMultiThreshold(MoveTranspose):
    """Moves a Transpose from channels last to channels first past a MultiThreshold, which gets the layout NHWC (NWC).

    A Transpose behind it that undoes the first is gone. With one row of thresholds for all channels any Transpose
    moves.

    Precondition: shapes are known.
    Postcondition: same outputs, bit for bit.
    """

    cancel = True

    def turned(self, graph: ir.Graph, node: ir.Node) -> Turned | None:
        found = source_of(node.inputs[0]) if node.op_type == "MultiThreshold" else None
        thresholds = get_constant(node.inputs[1]) if found is not None else None
        if found is None or thresholds is None:
            return None
        source, permutation = found
        rank = len(permutation)
        inputs = [source, node.inputs[1]]
        if rank in _LAYOUTS and permutation == to_channels_first(rank) and channel_axis(node, rank) == 1:
            return Turned(permutation, inputs, {**node.attributes, "data_layout": _LAYOUTS[rank]})
        return Turned(permutation, inputs) if len(thresholds) == 1 else None
