"""RemoveUnusedTensors: constants that nobody uses are gone."""

from __future__ import annotations

from finnmake.graph.cleanup import remove_unused_tensors
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation.base import Rewrite


class RemoveUnusedTensors(Rewrite):
    """Removes initialisers that no node uses, with their annotations.

    Precondition: none.
    Postcondition: the same function, bit for bit; every initialiser is used, or is an output of the graph.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        remove_unused_tensors(model.graph)
