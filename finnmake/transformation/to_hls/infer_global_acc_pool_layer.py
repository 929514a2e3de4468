"""Sums over the pixels, or the rows, of an image as GlobalAccPool."""

from __future__ import annotations

import math

import onnx_ir as ir

from finnmake.graph.custom_op import attribute
from finnmake.graph.datatype import DataType
from finnmake.graph.model_wrapper import ModelWrapper, get_constant, get_datatype, get_shape
from finnmake.graph.naming import name_by_position
from finnmake.transformation.base import Rewrite
from finnmake.transformation.to_hls.hardware import replace_by_hardware

_MOST_BITS = 32
"""Of an element."""


class InferGlobalAccPoolLayer(Rewrite):
    """Makes a ReduceSum of integers over the outer dimensions of a frame a GlobalAccPool.

    Of an image (1, H, W, C) it adds up H · W vectors of C channels where the sum is over rows and columns, H vectors of
    W · C where it is over the rows only. Dimensions of size 1 do not count.

    Precondition: ``LowerToChannelsLast``, datatypes are annotated.
    Postcondition: same outputs; PE is 1. A ReduceSum over an inner dimension, or of BIPOLAR, stays.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        for node in model.get_nodes_by_op_type("ReduceSum"):
            source, vectors = node.inputs[0], summed_vectors(node)
            if source is None or vectors is None:
                continue
            datatype = get_datatype(source)
            if not datatype.is_integer() or datatype.bitwidth() > _MOST_BITS or datatype.name == "BIPOLAR":
                continue
            low, high = int(datatype.min()) * vectors, int(datatype.max()) * vectors
            output = DataType.smallest_for_range(min(0, low), max(1, high))
            structure: dict[str, int | str | bool] = {
                "NumChannels": math.prod(get_shape(source) or ()) // vectors,
                "PE": 1,
                "numInputVectors": vectors,
                "inputDataType": datatype.name,
                "outputDataType": output.name,
            }
            replace_by_hardware([node], "GlobalAccPool", [source], structure, output)
        name_by_position(model)


def summed_vectors(node: ir.Node) -> int | None:
    """How many vectors of a frame (1, …) a ReduceSum adds up.

    None where it sums over the batch, or over a dimension within one that stays.
    """
    shape = get_shape(node.inputs[0]) if node.inputs[0] is not None else None
    axes = get_constant(node.inputs[1]) if len(node.inputs) > 1 else attribute(node, "axes")
    if axes is None or not shape or shape[0] != 1:
        return None
    summed = {int(axis) % len(shape) for axis in axes}
    stays = [axis for axis, size in enumerate(shape) if axis not in summed and size > 1]
    outer = [axis for axis in summed if shape[axis] > 1]
    if not summed or 0 in summed or (stays and outer and max(outer) > min(stays)):
        return None
    return math.prod(shape[axis] for axis in summed)
