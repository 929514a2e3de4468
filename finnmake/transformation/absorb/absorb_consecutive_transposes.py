"""AbsorbConsecutiveTransposes: two orders of dimensions are one."""

from __future__ import annotations

from finnmake.graph.editing import remove_unused_nodes, replace_value
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.graph.naming import name_by_position
from finnmake.graph.transposes import permutation_of, transpose_node
from finnmake.transformation.base import Rewrite


class AbsorbConsecutiveTransposes(Rewrite):
    """Makes one Transpose of two in a row, none where they undo each other.

    Precondition: none.
    Postcondition: same outputs, bit for bit; no Transpose has a Transpose in front of it.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        graph = model.graph
        for node in list(graph):
            second, source = permutation_of(node), node.inputs[0] if node.inputs else None
            before = source.producer() if source is not None else None
            first = permutation_of(before)
            if second is None or first is None or before is None or before.inputs[0] is None:
                continue
            both = tuple(first[axis] for axis in second)
            output, start = node.outputs[0], before.inputs[0]
            if both != tuple(range(len(both))):
                fresh = transpose_node(start, both)
                graph.insert_before(node, fresh)
                replace_value(output, fresh.outputs[0])
            elif not (output.is_graph_output() and start.is_graph_input()):
                replace_value(output, start)
        remove_unused_nodes(model)
        name_by_position(model)
