"""RoundAndClipThresholds: thresholds of integers are integers of the same range."""

from __future__ import annotations

import numpy as np

from finnmake.graph.datatype import DataType
from finnmake.graph.editing import add_initialiser
from finnmake.graph.model_wrapper import ModelWrapper, get_constant, get_datatype
from finnmake.graph.naming import name_by_position
from finnmake.transformation.base import Rewrite


class RoundAndClipThresholds(Rewrite):
    """Rounds up and clips the thresholds of every MultiThreshold whose input is integers.

    For an integer x, x ≥ t is x ≥ ceil(t). A threshold beyond the range is moved to where it is still always or never
    reached: the minimum, the maximum + 1.

    Precondition: datatypes are annotated.
    Postcondition: same outputs; such thresholds are integers, annotated with a type that holds them.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        for node in model.get_nodes_by_op_type("MultiThreshold"):
            source, old = node.inputs[0], node.inputs[1]
            array = get_constant(old)
            if source is None or old is None or array is None or not get_datatype(source).is_integer():
                continue
            low, high = int(get_datatype(source).min()), int(get_datatype(source).max())
            rounded = np.clip(np.ceil(array), low, high + 1).astype(np.float32)
            annotated = get_datatype(old)
            if annotated.is_integer() and annotated.allowed_array(rounded) and np.array_equal(rounded, array):
                continue
            if not (annotated.is_integer() and annotated.allowed_array(rounded)):
                annotated = DataType.smallest_for_range(low, high + 1)
            node.replace_input_with(1, add_initialiser(model.graph, rounded, "thresholds", annotated))
        name_by_position(model)
