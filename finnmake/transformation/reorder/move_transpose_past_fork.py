"""MoveTransposePastFork: a Transpose for every user."""

from __future__ import annotations

from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.graph.naming import name_by_position
from finnmake.graph.transposes import permutation_of, transpose_node
from finnmake.transformation.base import Rewrite


class MoveTransposePastFork(Rewrite):
    """Gives every user of a Transpose one of its own, so that each can be moved or absorbed.

    Precondition: none.
    Postcondition: same outputs, bit for bit; no Transpose has more than one user.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        for node in list(model.graph):
            permutation, output = permutation_of(node), node.outputs[0]
            source, users = node.inputs[0] if node.inputs else None, list(output.consumers())
            if permutation is None or source is None:
                continue
            for user in users if output.is_graph_output() else users[1:]:
                copy = transpose_node(source, permutation)
                model.graph.insert_after(node, copy)
                for index, value in enumerate(user.inputs):
                    if value is output:
                        user.replace_input_with(index, copy.outputs[0])
        name_by_position(model)
