"""How the Infer… transformations turn what is left with channels first into the order of a stream, and back."""

from __future__ import annotations

import onnx_ir as ir

from finnmake.graph.editing import replace_value
from finnmake.graph.model_wrapper import get_shape
from finnmake.graph.transposes import permutation_of, to_channels_first, to_channels_last, transpose_node


def with_channels_last(value: ir.Value, before: ir.Node) -> ir.Value:
    """The tensor with channels innermost: what a Transpose made it of, else a new Transpose's output.

    Args:
        value: (1, C, H, W).
        before: where a new Transpose goes.
    """
    rank = len(get_shape(value) or ())
    producer = value.producer()
    if producer is not None and permutation_of(producer) == to_channels_first(rank):
        source = producer.inputs[0]
        if source is not None:
            return source
    node = transpose_node(value, to_channels_last(rank))
    if before.graph is not None:
        before.graph.insert_before(before, node)
    return node.outputs[0]


def replace_by_channels_last(old: ir.Value, fresh: ir.Value, before: ir.Node) -> None:
    """Lets a tensor with channels innermost take the place of one with channels first.

    Transposes of ``old`` to channels last go; other uses get a Transpose of ``fresh``.

    Args:
        old: (1, C, H, W).
        fresh: (1, H, W, C).
        before: the node that made ``old``: where a new Transpose goes.
    """
    rank, graph = len(get_shape(old) or ()), before.graph
    if graph is None:
        return
    for user in old.consumers():
        if permutation_of(user) == to_channels_last(rank):
            user.outputs[0].replace_all_uses_with(fresh, replace_graph_outputs=True)
            graph.remove(user, safe=True)
    if old.uses() or old.is_graph_output():
        node = transpose_node(fresh, to_channels_first(rank))
        graph.insert_before(before, node)
        replace_value(old, node.outputs[0])
