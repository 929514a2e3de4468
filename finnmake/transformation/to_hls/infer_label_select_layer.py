"""TopK and ArgMax as LabelSelect."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from finnmake.graph.custom_op import attribute
from finnmake.graph.datatype import DataType
from finnmake.graph.model_wrapper import ModelWrapper, get_constant, get_datatype, get_shape
from finnmake.transformation.hardware import integer_frame, replace_by_hardware
from finnmake.transformation.to_hls.infer_layer import InferLayer, Refusal


class InferLabelSelectLayer(InferLayer):
    """Makes a TopK of integers, whose values nobody takes, and an ArgMax a LabelSelect.

    All elements of a frame are compared. The largest is the first, the lowest index the first among equals, as ONNX
    has it.

    Precondition: ``InsertTopK``, ``AbsorbScalarMulAddIntoTopK``.
    Postcondition: same indices; PE is 1. On floats, both stay.
    """

    op_types = ("TopK", "ArgMax")

    def infer(self, model: ModelWrapper, node: ir.Node) -> Refusal | None:
        """A layer for one TopK or ArgMax."""
        source, indices = node.inputs[0], node.outputs[-1]
        shape = integer_frame(source)
        if source is None or shape is None:
            return None
        axis = int(attribute(node, "axis", -1 if node.op_type == "TopK" else 0)) % len(shape)
        if math.prod(shape) != shape[axis]:
            return Refusal("orders each of several vectors", "Order the elements of one vector.")
        if not attribute(node, "largest", 1) or attribute(node, "select_last_index", 0):
            return Refusal("takes the smallest, or the last among equals", "Take the largest, the first among equals.")
        if node.op_type == "TopK" and (node.outputs[0].uses() or node.outputs[0].is_graph_output()):
            return Refusal("gives the values of the largest", "Take the indices only.")
        count = _count(node)
        if count is None or not 1 <= count <= shape[axis]:
            return Refusal("how many it takes is not constant", "Give a constant number.")
        if get_shape(indices) is None:
            return None
        output = DataType.smallest_for_range(0, max(1, shape[axis] - 1))
        structure: dict[str, int | str | bool] = {
            "Labels": shape[axis],
            "PE": 1,
            "K": count,
            "inputDataType": get_datatype(source).name,
            "outputDataType": output.name,
        }
        replace_by_hardware([node], "LabelSelect", [source], structure, output)
        return None


def _count(node: ir.Node) -> int | None:
    if node.op_type == "ArgMax":
        return 1
    count = get_constant(node.inputs[1]) if len(node.inputs) > 1 else attribute(node, "k")
    return None if count is None else int(np.asarray(count).ravel()[0])
