"""Depthwise convolutions, with the thresholds behind them, as VectorVectorActivation."""

from __future__ import annotations

import onnx_ir as ir

from finnmake.graph.custom_op import Array, attribute
from finnmake.graph.im2col import im2col_windows
from finnmake.graph.model_wrapper import ModelWrapper, get_constant, get_datatype
from finnmake.graph.sliding_windows import Windows
from finnmake.transformation.hardware import (
    MOST_BITS,
    replace_by_hardware,
)
from finnmake.transformation.to_hls.activation import activation_behind
from finnmake.transformation.to_hls.infer_layer import InferLayer, Refusal
from finnmake.transformation.to_hls.sliding_windows import has_padding, image_of, insert_windows, text
from finnmake.transformation.to_hls.stream_datatypes import sum_of_products


class InferVectorVectorActivation(InferLayer):
    """Makes an Im2Col and the DepthwiseMatMul behind it alone a ConvolutionInputGenerator and a VectorVectorActivation.

    The MultiThreshold that follows alone becomes part of it, where its channels are innermost. An FMPadding comes first
    where the Im2Col pads. Both nodes are taken at once, as the two layers have another order of a window's elements
    between them: channels outside of taps. Where each pixel is a window there is no Im2Col, and no layer for it.

    Precondition: ``LowerToChannelsLast``, datatypes are annotated.
    Postcondition: same outputs; PE and SIMD are 1.
    """

    op_types = ("DepthwiseMatMul",)

    def infer(self, model: ModelWrapper, node: ir.Node) -> Refusal | None:
        """Layers for one DepthwiseMatMul."""
        before, matrix = node.inputs[0].producer() if node.inputs[0] is not None else None, get_constant(node.inputs[1])
        if matrix is None:
            return None
        if before is not None and before.op_type == "Im2Col" and len(before.outputs[0].uses()) == 1:
            return _replace(model, node, matrix, before, im2col_windows(before))
        if matrix.shape[0] == 1:
            return _replace(model, node, matrix, None, Windows((1, 1)))
        return Refusal("what is before it makes no windows for it alone", "Run LowerToChannelsLast before.")


def _replace(
    model: ModelWrapper, node: ir.Node, matrix: Array, im2col: ir.Node | None, windows: Windows
) -> Refusal | None:
    source, weights, output = (im2col or node).inputs[0], node.inputs[1], node.outputs[0]
    image = image_of(source)
    if source is None or weights is None or image is None:
        return None
    datatype, weight = get_datatype(source), get_datatype(weights)
    if not weight.is_integer() or not get_datatype(output).is_integer():
        return None
    if max(datatype.bitwidth(), weight.bitwidth()) > MOST_BITS:
        return Refusal(f"its input is {datatype}, its weights {weight}", f"Quantise both to {MOST_BITS} bits or fewer.")
    pad_value = float(attribute(im2col, "pad_value", 0)) if im2col is not None else 0.0
    if not has_padding(windows, image, datatype, pad_value):
        return Refusal(f"it pads {datatype} with {pad_value:g}", "Do not pad, or quantise with a zero.")
    accumulator = sum_of_products(matrix, datatype)
    activation = activation_behind(output, 4)
    structure: dict[str, int | str | bool] = {
        "Channels": image[2],
        "PE": 1,
        "SIMD": 1,
        "Kernel": text(*windows.kernel),
        "Dim": text(*windows.output_size(image[0], image[1])),
        "inputDataType": datatype.name,
        "weightDataType": weight.name,
        "accDataType": accumulator.name,
        "outputDataType": accumulator.name,
        "noActivation": activation is None,
        "numSteps": 0,
        "ActVal": 0,
        "resType": "auto",
        "ram_style": "auto",
    }
    inputs, old, output_datatype = [source, weights], [node], accumulator
    if im2col is not None:
        inputs[0] = insert_windows(im2col, source, windows, image, depthwise=True, pad_value=int(pad_value))
        old.insert(0, im2col)
    if activation is not None:
        old.append(activation.node)
        output_datatype = activation.datatype
        structure |= activation.structure()
        inputs.append(activation.values(model, image[2], accumulator))
    replace_by_hardware(old, "VectorVectorActivation", inputs, structure, output_datatype)
    return None
