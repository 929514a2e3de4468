"""MultiThreshold as Thresholding."""

from __future__ import annotations

import math

from finnmake.graph.custom_op import attribute
from finnmake.graph.datatype import DataType
from finnmake.graph.editing import remove_unused_nodes
from finnmake.graph.general_ops import channel_axis
from finnmake.graph.model_wrapper import ModelWrapper, get_datatype, get_shape
from finnmake.graph.naming import name_by_position
from finnmake.transformation.base import Rewrite
from finnmake.transformation.hardware import (
    has_channels_innermost,
    insert_hardware,
    integer_thresholds,
    replace_by_value,
    vectors_per_frame,
)
from finnmake.transformation.to_hls.turned_images import replace_by_channels_last, with_channels_last


class InferThresholdingLayer(Rewrite):
    """Makes every MultiThreshold on integers that is no part of another layer a Thresholding.

    Precondition: the matrix layers have been inferred; thresholds are integers (``RoundAndClipThresholds``).
    Postcondition: same outputs; PE is 1. A tensor of shape (1, H, W, channels) is H · W vectors a frame. Around a
    MultiThreshold whose channels are not the innermost dimension, and do not share their thresholds, Transposes turn
    the tensor.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        for node in model.get_nodes_by_op_type("MultiThreshold"):
            thresholds = integer_thresholds(node)
            source, held = node.inputs[0], node.inputs[1]
            shape = get_shape(source) if source is not None else None
            if thresholds is None or source is None or held is None or shape is None:
                continue
            shared = thresholds.shape[0] == 1
            first = not has_channels_innermost(node, len(shape))
            if first and shape[0] != 1:
                continue
            if first:
                source = with_channels_last(source, node)
                shape = get_shape(source) or shape
            in_vectors = len(shape) > 2 and (first or channel_axis(node, len(shape)) > 1)
            channels = shape[-1] if in_vectors else math.prod(shape[1:])
            output = get_datatype(node.outputs[0])
            threshold_datatype = get_datatype(held)
            if not threshold_datatype.is_integer():
                threshold_datatype = DataType.smallest_for_range(int(thresholds.min()), int(thresholds.max()))
            structure = {
                "NumChannels": channels,
                "PE": 1,
                "inputDataType": get_datatype(source).name,
                "thresholdDataType": threshold_datatype.name,
                "outputDataType": output.name,
                "numSteps": int(thresholds.shape[1]),
                "ActVal": int(attribute(node, "out_bias", 0.0)),
                "numInputVectors": vectors_per_frame(shape) if in_vectors else 1,
                "sharedThresholds": shared and channels > 1,
            }
            fresh = insert_hardware(node, "Thresholding", source, structure, output, shape, [held])
            if first:
                replace_by_channels_last(node.outputs[0], fresh, node)
                model.graph.remove(node, safe=True)
            else:
                replace_by_value([node], fresh)
        remove_unused_nodes(model)
        name_by_position(model)
