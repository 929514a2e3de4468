"""Average pooling: sums of integers; the division is a matter of scale."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from finnmake.errors import ModelError
from finnmake.graph.custom_op import attribute, describe
from finnmake.graph.datatype import DataType
from finnmake.graph.model_wrapper import get_constant, get_shape
from finnmake.graph.padding import explicit_pads
from finnmake.graph.scaled_integer_analysis.operands import operand_of
from finnmake.graph.scaled_integer_analysis.tensors import (
    EXACT_FLOAT32,
    Analysis,
    Operand,
    ScaledInteger,
    WindowSum,
    first_input,
    sums_are_exact,
)


def reduction(node: ir.Node, result: Analysis) -> None:
    """GlobalAveragePool, ReduceMean, ReduceSum: sums along whole axes behind the channels."""
    shape = get_shape(first_input(node))
    if shape is None:
        return
    if node.op_type == "GlobalAveragePool":
        axes: tuple[int, ...] = tuple(range(2, len(shape)))
    else:
        given = get_constant(node.inputs[1]) if len(node.inputs) > 1 else attribute(node, "axes")
        if given is None:
            result.reasons[node] = "reduces all axes, the batch among them"
            return
        axes = tuple(sorted(int(axis) % len(shape) for axis in np.asarray(given)))
    if not axes or axes[0] < 2:
        result.reasons[node] = "reduces the batch or the channels; only the axes behind them are understood"
        return
    operand = operand_of(node, first_input(node), result)
    if operand is not None:
        _decide(node, operand, WindowSum(operand, math.prod(shape[axis] for axis in axes), axes), result)


def average_pool(node: ir.Node, result: Analysis) -> None:
    """AveragePool over windows, or over the whole image."""
    shape, output = get_shape(first_input(node)), get_shape(node.outputs[0])
    operand = operand_of(node, first_input(node), result)
    if operand is None or shape is None or output is None:
        return
    kernel = tuple(int(size) for size in attribute(node, "kernel_shape"))
    pads = explicit_pads(node, shape, kernel)
    dilations = tuple(attribute(node, "dilations", (1,) * len(kernel)))
    strides = tuple(attribute(node, "strides", (1,) * len(kernel)))
    floors = tuple(
        (shape[2 + i] + pads[i] + pads[i + len(kernel)] - (kernel[i] - 1) * dilations[i] - 1) // strides[i] + 1
        for i in range(len(kernel))
    )
    if tuple(output[2:]) != floors:
        result.reasons[node] = "its last windows reach beyond the image (ceil_mode); use whole windows"
        return
    if any(pads) and not attribute(node, "count_include_pad", 0):
        result.reasons[node] = "divides by another number at the border (count_include_pad=0); leave out its padding"
        return
    if any(pads) and operand.form.bias.any():
        result.reasons[node] = "pads a tensor that has a bias; leave out its padding"
        return
    whole = not any(pads) and kernel == tuple(shape[2:])
    axes = tuple(range(2, len(shape))) if whole else ()
    _decide(node, operand, WindowSum(operand, math.prod(kernel), axes, () if whole else pads), result)


def _decide(node: ir.Node, operand: Operand, operation: WindowSum, result: Analysis) -> None:
    source, count = operand.source, operation.count
    low_end, high_end = source.minimum, source.maximum
    if any(operation.pads):
        low_end, high_end = min(low_end, 0), max(high_end, 0)
    low, high = count * low_end, count * high_end
    if max(-low, high) >= EXACT_FLOAT32:
        raise ModelError(
            f"its sums range from {low} to {high}, beyond 24 bits",
            where=describe(node),
            remedy="Quantise its input to fewer bits, or pool over smaller windows.",
        )
    mean = node.op_type != "ReduceSum"
    scale = operand.form.scale / count if mean else operand.form.scale
    bias = operand.form.bias if mean else operand.form.bias * count
    shift = np.abs(operand.form.bias / operand.form.scale).max()
    exact = sums_are_exact(operand, scale, bias, int(max(-low, high) + count * shift))
    integers = ScaledInteger(
        node.outputs[0], DataType.smallest_for_range(low, high), low, high, np.asarray(scale), np.asarray(bias), exact
    )
    result.decide(node, operation, integers)
