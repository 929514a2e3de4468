"""Sums over dimensions of a frame as GlobalAccPool, or as Pool."""

from __future__ import annotations

import math

import onnx_ir as ir

from finnmake.graph.custom_op import attribute
from finnmake.graph.datatype import DataType
from finnmake.graph.model_wrapper import ModelWrapper, get_constant, get_datatype, get_shape
from finnmake.graph.sliding_windows import Windows
from finnmake.transformation.hardware import integer_frame, replace_by_hardware, replace_by_value
from finnmake.transformation.to_hls.conversion import converted
from finnmake.transformation.to_hls.infer_layer import InferLayer, Refusal
from finnmake.transformation.to_hls.sliding_windows import insert_pool, insert_windows
from finnmake.transformation.to_hls.stream_datatypes import sum_datatype

_MOST_BITS = 32
"""Of an element."""


class InferGlobalAccPoolLayer(InferLayer):
    """Makes a ReduceSum of integers over the outer dimensions of a frame a GlobalAccPool.

    Of an image (1, H, W, C) it adds up H · W vectors of C channels where the sum is over rows and columns, H vectors of
    W · C where it is over the rows only. Dimensions of size 1 do not count. BIPOLAR is converted to INT2 before. Sums
    over inner dimensions, like the columns of each row, are windows and a Pool.

    Precondition: ``LowerToChannelsLast``, datatypes are annotated.
    Postcondition: same outputs; PE and SIMD are 1.
    """

    op_types = ("ReduceSum",)

    def infer(self, model: ModelWrapper, node: ir.Node) -> Refusal | None:
        """Layers for one ReduceSum."""
        source, summed, result = node.inputs[0], _summed(node), get_shape(node.outputs[0])
        if source is None or integer_frame(source) is None or result is None:
            return None
        if summed is None:
            return Refusal(
                "sums over the batch, or over dimensions with others between them", "Sum over neighbouring dimensions."
            )
        if get_datatype(source).bitwidth() > _MOST_BITS:
            return Refusal(f"its input is {get_datatype(source)}", f"Quantise it to {_MOST_BITS} bits or fewer.")
        if get_datatype(source).name == "BIPOLAR":
            source = converted(node, source, DataType["INT2"])
        datatype, (outer, vectors, channels) = get_datatype(source), summed
        output = sum_datatype(datatype, vectors)
        if outer > 1:
            windows = Windows((1, vectors), (1, vectors))
            windowed = insert_windows(node, source, windows, summed, depthwise=True)
            replace_by_value([node], insert_pool(node, windowed, windows, summed, output, 0, result))
            return None
        structure: dict[str, int | str | bool] = {
            "NumChannels": channels,
            "PE": 1,
            "numInputVectors": vectors,
            "inputDataType": datatype.name,
            "outputDataType": output.name,
        }
        replace_by_hardware([node], "GlobalAccPool", [source], structure, output)
        return None


def _summed(node: ir.Node) -> tuple[int, int, int] | None:
    """A ReduceSum over the columns of an image: its rows, columns and channels, whatever dimensions they are.

    None where it sums over the batch, or over dimensions with one between them that stays.
    """
    shape = get_shape(node.inputs[0]) if node.inputs[0] is not None else None
    axes = get_constant(node.inputs[1]) if len(node.inputs) > 1 else attribute(node, "axes")
    if axes is None or not shape:
        return None
    summed = {int(axis) % len(shape) for axis in axes}
    large = [axis for axis in range(len(shape)) if axis in summed and shape[axis] > 1]
    if not summed or 0 in summed:
        return None
    first, last = (large[0], large[-1]) if large else (1, 0)
    if any(axis not in summed and shape[axis] > 1 for axis in range(first, last + 1)):
        return None
    return math.prod(shape[:first]), math.prod(shape[first : last + 1]), math.prod(shape[last + 1 :])
