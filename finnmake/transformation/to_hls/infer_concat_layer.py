"""Concat of streams as StreamingConcat."""

from __future__ import annotations

import math

import onnx_ir as ir

from finnmake.graph.custom_op import attribute
from finnmake.graph.model_wrapper import ModelWrapper, get_constant, get_datatype, get_shape
from finnmake.transformation.hardware import integer_frame, replace_by_hardware, replace_by_value
from finnmake.transformation.to_hls.conversion import MOST_BITS, converted
from finnmake.transformation.to_hls.infer_layer import InferLayer, Refusal
from finnmake.transformation.to_hls.sliding_windows import text
from finnmake.transformation.to_hls.stream_datatypes import common_datatype


class InferConcatLayer(InferLayer):
    """Makes every Concat of streams of integers a StreamingConcat, along any dimension but the batch.

    What lies within the dimension that is joined counts as channels: images joined along their channels are joined
    pixel by pixel, images one below the other are two large vectors. Streams of a narrower datatype are converted to
    the one that holds all of them (ElementwiseMul by 1).

    Precondition: channels are innermost (``LowerToChannelsLast``), datatypes are annotated.
    Postcondition: same outputs; SIMD is 1.
    """

    op_types = ("Concat",)

    def infer(self, model: ModelWrapper, node: ir.Node) -> Refusal | None:
        """A layer for one Concat."""
        sources = [value for value in node.inputs if value is not None]
        if any(get_constant(value) is not None for value in sources):
            return Refusal("joins a stream and a constant", "Let all that is joined depend on the input.")
        frames = [integer_frame(value) for value in sources]
        shapes = [shape for shape in frames if shape is not None]
        result = get_shape(node.outputs[0])
        if len(shapes) < len(frames) or not shapes or result is None:
            return None
        axis = int(attribute(node, "axis", 1)) % len(result)
        if axis == 0:
            return Refusal("joins the batch", "Join along another dimension.")
        datatypes = [get_datatype(value) for value in sources]
        datatype = common_datatype(datatypes)
        if any(datatype != other and other.bitwidth() > MOST_BITS for other in datatypes):
            return Refusal(f"joins streams of up to {datatype} of different types", "Quantise them to the same bits.")
        if len(sources) == 1:
            replace_by_value([node], sources[0])
            return None
        structure: dict[str, int | str | bool] = {
            "ChannelsPerStream": text(*(math.prod(shape[axis:]) for shape in shapes)),
            "SIMD": 1,
            "inputDataType": datatype.name,
            "numInputVectors": math.prod(result[1:axis]),
        }
        streams = [converted(node, source, datatype) for source in sources]
        replace_by_hardware([node], "StreamingConcat", streams, structure, datatype)
        return None
