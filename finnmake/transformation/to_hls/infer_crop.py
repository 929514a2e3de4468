"""Slice, and Gather of neighbours, as Crop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from finnmake.graph.custom_op import Array, attribute
from finnmake.graph.model_wrapper import ModelWrapper, get_constant, get_shape
from finnmake.transformation.hardware import integer_frame, replace_by_value
from finnmake.transformation.to_hls.cropping import Part, insert_part, part_of
from finnmake.transformation.to_hls.infer_layer import InferLayer, Refusal


class InferCrop(InferLayer):
    """Makes every Slice of integers a Crop, and a Gather of neighbours, where the limits are constants.

    Along each dimension but the batch; what lies within it counts as channels. Every second, third, … row and column of
    an image (1, H, W, C) is a ConvolutionInputGenerator with windows of one pixel.

    Precondition: channels are innermost (``LowerToChannelsLast``), datatypes are annotated.
    Postcondition: same outputs; SIMD is 1.
    """

    op_types = ("Slice", "Gather")

    def infer(self, model: ModelWrapper, node: ir.Node) -> Refusal | None:
        """A layer for one Slice or Gather."""
        source = node.inputs[0]
        shape, result = integer_frame(source), get_shape(node.outputs[0])
        if source is None or shape is None or result is None:
            return None
        taken = _taken(node, shape)
        if taken is None:
            return Refusal("its limits are not constant", "Slice with constant limits.")
        parts: dict[int, Part] = {}
        for axis, indices in taken.items():
            if indices == list(range(shape[axis])):
                continue
            part = part_of(indices)
            if part is None:
                return Refusal(
                    f"takes elements of dimension {axis} in an order of their own", "Slice with a positive step."
                )
            if axis == 0:
                return Refusal("cuts the batch", "Slice along another dimension.")
            if part.step > 1 and (len(shape) != 4 or axis == 3):
                return Refusal(
                    f"takes one of {part.step} elements of dimension {axis}", "Take steps along rows and columns only."
                )
            parts[axis] = part
        fresh = insert_part(node, source, parts)
        fresh.shape = ir.Shape(result) if fresh is not source else fresh.shape
        replace_by_value([node], fresh)
        return None


def _taken(node: ir.Node, shape: Sequence[int]) -> dict[int, list[int]] | None:
    """The indices that are taken, by dimension; None where they are not constant."""
    if node.op_type == "Gather":
        axis = int(attribute(node, "axis", 0)) % len(shape)
        gathered = get_constant(node.inputs[1])
        return None if gathered is None else {axis: [int(index) % shape[axis] for index in gathered.ravel()]}
    limits = _limits(node)
    if limits is None:
        return None
    starts, ends, axes, steps = limits
    taken = {}
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        # ONNX writes "to the front" as an end far below zero; for Python an index there counts from the back.
        to_front = step < 0 and end < -shape[axis]
        taken[int(axis) % len(shape)] = list(range(shape[axis]))[
            int(start) : None if to_front else int(end) : int(step)
        ]
    return taken


def _limits(node: ir.Node) -> tuple[Array, Array, Array, Array] | None:
    names = ("starts", "ends", "axes", "steps")
    if len(node.inputs) > 1:
        given = [get_constant(value) for value in node.inputs[1:]]
        if any(array is None for array, value in zip(given, node.inputs[1:], strict=True) if value is not None):
            return None
    else:
        attributes = [attribute(node, name) for name in names]
        given = [None if value is None else np.asarray(value) for value in attributes]
    starts, ends, axes, steps = [*given, None, None, None, None][:4]
    if starts is None or ends is None:
        return None
    return (
        starts.ravel(),
        ends.ravel(),
        np.arange(starts.size) if axes is None else axes.ravel(),
        np.ones(starts.size, dtype=np.int64) if steps is None else steps.ravel(),
    )
