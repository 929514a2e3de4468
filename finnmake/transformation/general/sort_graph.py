"""SortGraph: nodes stand in an order in which they can run."""

from __future__ import annotations

from finnmake.graph.model_files import sort_nodes
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation.base import Rewrite


class SortGraph(Rewrite):
    """Puts every node behind those whose outputs it uses; a graph of such an order stays as it is.

    Precondition: none.
    Postcondition: the same function, bit for bit.

    Raises:
        ModelError: where the graph has a cycle; names a node of it.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        sort_nodes(model.graph)
