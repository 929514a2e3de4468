"""PrepareCppSim: the C++ of every core, rendered."""

from __future__ import annotations

from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.runtime.simulations import for_each_core, use_simulations
from finnmake.transformation.base import Rewrite


class PrepareCppSim(Rewrite):
    """Renders the C++ of every layer's core, with all that its compilation reads: what ``CompileCppSim`` compiles.

    Args:
        folder: for the sources and for what becomes of them; equal cores share an entry, also between models and runs.
            None: the folder of the simulations that the model has already, or a temporary one that lives as long as
            the model and what is made of it.

    Precondition: folded hardware layers.
    Postcondition: same outputs, same layers. The folder is known to the model in memory, not to the saved one.

    Raises:
        ModelError, FoldingError: a layer whose attributes or parameters are not legal.
    """

    def __init__(self, folder: str | None = None) -> None:
        self._folder = folder

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        for_each_core(model, use_simulations(model, self._folder).prepare_cpp)
