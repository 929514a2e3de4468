"""MoveMaxPoolPastMultiThreshold: the largest level is the level of the largest."""

from __future__ import annotations

import onnx_ir as ir

from finnmake.graph.custom_op import attribute
from finnmake.graph.editing import replace_value
from finnmake.graph.general_ops import channel_axis
from finnmake.graph.model_wrapper import ModelWrapper, get_shape
from finnmake.graph.naming import name_by_position
from finnmake.graph.transposes import like
from finnmake.transformation.base import Rewrite


class MoveMaxPoolPastMultiThreshold(Rewrite):
    """Makes MaxPool, MultiThreshold into MultiThreshold, MaxPool: pooling then compares few-bit levels.

    Precondition: shapes are known.
    Postcondition: same outputs, bit for bit. Done where the MultiThreshold is the only user, has a positive
    ``out_scale``, and where both have their channels at the same place.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        graph = model.graph
        for node in list(graph):
            source, pooled = node.inputs[0] if node.inputs else None, node.outputs[0]
            users = list(pooled.consumers())
            if node.op_type not in ("MaxPool", "MaxPoolNHWC") or source is None or len(users) != 1:
                continue
            if pooled.is_graph_output() or any(v.uses() or v.is_graph_output() for v in node.outputs[1:]):
                continue
            threshold = users[0]
            if not _can_pass(node, threshold):
                continue
            first = ir.node(
                threshold.op_type,
                [source, threshold.inputs[1]],
                dict(threshold.attributes),
                domain=threshold.domain,
                metadata_props=dict(threshold.metadata_props),
            )
            second = ir.node(node.op_type, first.outputs, dict(node.attributes), domain=node.domain)
            output = threshold.outputs[0]
            like(first.outputs[0], output, get_shape(source))
            like(second.outputs[0], output, get_shape(output))
            graph.insert_before(threshold, [first, second])
            replace_value(output, second.outputs[0])
            graph.remove([threshold, node], safe=True)
        name_by_position(model)


def _can_pass(pool: ir.Node, threshold: ir.Node) -> bool:
    if threshold.op_type != "MultiThreshold" or float(attribute(threshold, "out_scale", 1.0)) <= 0:
        return False
    thresholds = get_shape(threshold.inputs[1]) if threshold.inputs[1] is not None else None
    last = channel_axis(threshold, 4) == 3
    return (thresholds is not None and thresholds[0] == 1) or last == (pool.op_type == "MaxPoolNHWC")
