"""Pad with a constant as FMPadding."""

from __future__ import annotations

import math

import onnx_ir as ir

from finnmake.graph.custom_op import attribute
from finnmake.graph.model_wrapper import ModelWrapper, get_constant, get_datatype, get_shape
from finnmake.transformation.hardware import integer_frame, replace_by_value
from finnmake.transformation.to_hls.conversion import MOST_BITS, converted
from finnmake.transformation.to_hls.infer_layer import InferLayer, Refusal
from finnmake.transformation.to_hls.sliding_windows import insert_padding
from finnmake.transformation.to_hls.stream_datatypes import pad_value, padded_datatype


class InferFMPadding(InferLayer):
    """Makes every Pad of integers with a constant FMPadding layers, along any dimension but the batch.

    One for rows and columns of an image together, else one for each dimension; what lies within it counts as channels.
    A stream whose datatype has not the number that is put around it is converted to one that has it.

    Precondition: channels are innermost (``LowerToChannelsLast``), datatypes are annotated.
    Postcondition: same outputs; SIMD is 1.
    """

    op_types = ("Pad",)

    def infer(self, model: ModelWrapper, node: ir.Node) -> Refusal | None:
        """Layers for one Pad."""
        source, pads = node.inputs[0], _pads(node)
        shape, result = integer_frame(source), get_shape(node.outputs[0])
        if source is None or shape is None or result is None:
            return None
        if str(attribute(node, "mode", "constant")) != "constant":
            return Refusal(f"pads in mode {attribute(node, 'mode')}", "Pad with a constant.")
        if pads is None or len(pads) != len(shape):
            return Refusal("its padding is not constant, or is for some axes only", "Give constants for all axes.")
        value = pad_value(node)
        if value is None or not value.is_integer():
            return Refusal(
                "what it pads with is no constant whole number", "Pad with what the quantiser before it has."
            )
        if any(size < 0 for pair in pads for size in pair) or any(pads[0]):
            return Refusal("pads the batch, or takes away (pads below 0)", "Pad other dimensions, and use Slice.")
        if not get_datatype(source).allowed(value):
            if get_datatype(source).bitwidth() > MOST_BITS:
                return Refusal(f"its input is {get_datatype(source)}", f"Quantise it to {MOST_BITS} bits or fewer.")
            source = converted(node, source, padded_datatype(get_datatype(source), value))
        left = [axis for axis, pair in enumerate(pads) if any(pair)]
        after = list(shape)
        while left:
            together = len(left) > 1 and left[1] == left[0] + 1 and math.prod(shape[1 : left[0]]) == 1
            axes, left = (left[:2], left[2:]) if together else (left[:1], left[1:])
            column, (top, bottom) = axes[-1], pads[axes[0]] if together else (0, 0)
            image = math.prod(after[1:column]), after[column], math.prod(after[column + 1 :])
            for axis in axes:
                after[axis] += sum(pads[axis])
            borders = (top, pads[column][0], bottom, pads[column][1])
            source = insert_padding(node, source, image, borders, int(value), tuple(after))
        replace_by_value([node], source)
        return None


def _pads(node: ir.Node) -> list[tuple[int, int]] | None:
    """Before and after, for each dimension; None where they are not constant or there are axes."""
    pads = get_constant(node.inputs[1]) if len(node.inputs) > 1 else attribute(node, "pads")
    if pads is None or len(node.inputs) > 3:
        return None
    numbers = [int(number) for number in pads]
    half = len(numbers) // 2
    return list(zip(numbers[:half], numbers[half:], strict=True))
