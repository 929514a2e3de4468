"""Pooling of windows as Pool."""

from __future__ import annotations

import onnx_ir as ir

from finnmake.graph.datatype import AnyDataType
from finnmake.graph.model_wrapper import ModelWrapper, get_datatype
from finnmake.graph.naming import name_by_position
from finnmake.graph.pooling_ops import max_pool_windows
from finnmake.graph.sliding_windows import Windows
from finnmake.transformation.base import Rewrite
from finnmake.transformation.to_hls.hardware import replace_by_hardware
from finnmake.transformation.to_hls.sliding_windows import has_padding_of_zeros, image_of, insert_windows, text


class InferPool(Rewrite):
    """Makes every MaxPoolNHWC of integers a ConvolutionInputGenerator and a Pool.

    Precondition: ``LowerToChannelsLast``, datatypes are annotated.
    Postcondition: same outputs; PE and SIMD are 1. A MaxPoolNHWC that pads stays where the input may be negative: zeros
    could be the largest.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        for node in model.get_nodes_by_op_type("MaxPoolNHWC"):
            source = node.inputs[0]
            image = image_of(source)
            if source is None or image is None:
                continue
            windows, datatype = max_pool_windows(node), get_datatype(source)
            without_padding = Windows(windows.kernel, windows.strides, dilations=windows.dilations)
            needs_padding = windows.output_size(*image[:2]) != without_padding.output_size(*image[:2])
            if (needs_padding or any(windows.pads)) and datatype.min() < 0:
                continue
            if has_padding_of_zeros(windows, image, datatype):
                _pool(node, source, windows, image, datatype)
        name_by_position(model)


def _pool(
    node: ir.Node, source: ir.Value, windows: Windows, image: tuple[int, int, int], datatype: AnyDataType
) -> None:
    structure: dict[str, int | str | bool] = {
        "Channels": image[2],
        "PE": 1,
        "KernelSize": text(*windows.kernel),
        "OutImgDims": text(*windows.output_size(image[0], image[1])),
        "inputDataType": datatype.name,
        "outputDataType": datatype.name,
        "Function": "MaxPool",
        "Shift": 0,
    }
    fresh = insert_windows(node, source, windows, image, depthwise=True)
    replace_by_hardware([node], "Pool", [fresh], structure, datatype)
