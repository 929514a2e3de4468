"""Split of a stream as StreamingSplit."""

from __future__ import annotations

import math

import onnx_ir as ir

from finnmake.graph.custom_op import attribute
from finnmake.graph.model_wrapper import ModelWrapper, get_datatype, get_shape
from finnmake.transformation.hardware import insert_layer, integer_frame, replace_by_value
from finnmake.transformation.to_hls.cropping import Part, insert_part
from finnmake.transformation.to_hls.infer_layer import InferLayer, Refusal
from finnmake.transformation.to_hls.sliding_windows import text


class InferSplitLayer(InferLayer):
    """Makes every Split of a stream of integers a StreamingSplit, along any dimension but the batch.

    Of a Split whose outputs are not all used, each one that is becomes a Crop.

    Precondition: channels are innermost (``LowerToChannelsLast``), datatypes are annotated.
    Postcondition: same outputs; SIMD is 1.
    """

    op_types = ("Split",)

    def infer(self, model: ModelWrapper, node: ir.Node) -> Refusal | None:
        """A layer for one Split."""
        source = node.inputs[0]
        shape = integer_frame(source)
        parts = [part for part in (get_shape(output) for output in node.outputs) if part is not None]
        if source is None or shape is None or len(parts) < len(node.outputs):
            return None
        axis = int(attribute(node, "axis", 0)) % len(shape)
        if axis == 0:
            return Refusal("splits the batch", "Split along another dimension.")
        datatype = get_datatype(source)
        used = [bool(output.uses() or output.is_graph_output()) for output in node.outputs]
        if len(parts) == 1:
            replace_by_value([node], source)
            return None
        if all(used):
            structure: dict[str, int | str | bool] = {
                "ChannelsPerStream": text(*(math.prod(part[axis:]) for part in parts)),
                "SIMD": 1,
                "inputDataType": datatype.name,
                "numInputVectors": math.prod(shape[1:axis]),
            }
            outputs = [(part, datatype) for part in parts]
            fresh = list(insert_layer(node, "StreamingSplit", [source], structure, outputs))
        else:
            starts = [sum(part[axis] for part in parts[:index]) for index in range(len(parts))]
            fresh = [
                insert_part(node, source, {axis: Part(start, start + part[axis])}) if is_used else source
                for start, part, is_used in zip(starts, parts, used, strict=True)
            ]
        for old, new in zip(node.outputs, fresh, strict=True):
            old.replace_all_uses_with(new, replace_graph_outputs=True)
        model.graph.remove(node, safe=True)
        return None
