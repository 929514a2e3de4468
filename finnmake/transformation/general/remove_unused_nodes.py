"""RemoveUnusedNodes: nodes that lead to no output are gone."""

from __future__ import annotations

from finnmake.graph.editing import remove_unused_nodes
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation.base import Rewrite


class RemoveUnusedNodes(Rewrite):
    """Removes nodes that contribute to no output of the graph, directly or through others.

    Precondition: none.
    Postcondition: the same function, bit for bit; every node contributes.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        remove_unused_nodes(model)
