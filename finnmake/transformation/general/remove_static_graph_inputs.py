"""RemoveStaticGraphInputs: constants are no inputs."""

from __future__ import annotations

from finnmake.graph.cleanup import remove_static_graph_inputs
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation.base import Rewrite


class RemoveStaticGraphInputs(Rewrite):
    """Removes inputs of the graph that have a constant value, as models before ONNX IR 4 list them.

    Precondition: none.
    Postcondition: the same function, bit for bit, of the inputs that are left; these have no constant value.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        remove_static_graph_inputs(model.graph)
