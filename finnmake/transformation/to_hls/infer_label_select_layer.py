"""TopK as LabelSelect."""

from __future__ import annotations

from finnmake.graph.custom_op import attribute
from finnmake.graph.datatype import DataType
from finnmake.graph.model_wrapper import ModelWrapper, get_constant, get_datatype, get_shape
from finnmake.graph.naming import name_by_position
from finnmake.transformation.base import Rewrite
from finnmake.transformation.to_hls.hardware import replace_by_hardware


class InferLabelSelectLayer(Rewrite):
    """Makes a TopK with k = 1 on integers a LabelSelect.

    Precondition: ``InsertTopK``, ``AbsorbScalarMulAddIntoTopK``.
    Postcondition: same indices; PE is 1. A TopK with another k, or on floats, stays.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        for node in model.get_nodes_by_op_type("TopK"):
            source = node.inputs[0]
            shape = get_shape(source) if source is not None else None
            if source is None or shape is None or len(shape) != 2 or not get_datatype(source).is_integer():
                continue
            count = get_constant(node.inputs[1]) if len(node.inputs) > 1 else attribute(node, "k")
            if count is None or int(count if isinstance(count, int) else count.ravel()[0]) != 1:
                continue
            if node.outputs[0].uses() or node.outputs[0].is_graph_output() or not attribute(node, "largest", 1):
                continue
            output = DataType.smallest_for_range(0, max(1, shape[1] - 1))
            structure: dict[str, int | str | bool] = {
                "Labels": shape[1],
                "PE": 1,
                "K": 1,
                "inputDataType": get_datatype(source).name,
                "outputDataType": output.name,
            }
            replace_by_hardware([node], "LabelSelect", [source], structure, output)
        name_by_position(model)
