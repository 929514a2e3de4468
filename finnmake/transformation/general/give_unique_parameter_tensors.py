"""GiveUniqueParameterTensors: no two nodes share a constant."""

from __future__ import annotations

from finnmake.graph.cleanup import give_unique_parameter_tensors
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation.base import Rewrite


class GiveUniqueParameterTensors(Rewrite):
    """Gives each use of a constant a tensor of its own, with the same value and annotations.

    Precondition: none.
    Postcondition: the same function, bit for bit; every initialiser has at most one use.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        give_unique_parameter_tensors(model.graph)
