"""GiveReadableTensorNames: tensors are called after the node that makes or uses them."""

from __future__ import annotations

from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.graph.naming import name_tensors
from finnmake.transformation.base import Rewrite


class GiveReadableTensorNames(Rewrite):
    """Names inputs ``global_in``, outputs ``global_out``, others ``<node>_out0``, constants ``<node>_param0``.

    Precondition: nodes have different names (``GiveUniqueNodeNames``).
    Postcondition: all tensors in use have such names; a constant is named after the first node that uses it.
    Constants that nobody uses are gone.

    Raises:
        ModelError: where two nodes have the same name, or one has none.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        name_tensors(model)
