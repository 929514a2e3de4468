"""Ops that move integers about without looking at them, and MaxPool, which only compares them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from finnmake.graph.custom_op import Array, attribute
from finnmake.graph.datatype import DataType
from finnmake.graph.expression import Expression, has_channels, is_rising, with_channels
from finnmake.graph.model_wrapper import get_constant, get_shape
from finnmake.graph.scaled_integer_analysis.constants import constant_integers, reshaped_constant, transposed_constant
from finnmake.graph.scaled_integer_analysis.operands import operand_of
from finnmake.graph.scaled_integer_analysis.tensors import (
    EXACT_FLOAT32,
    Analysis,
    IntegerFunction,
    Movement,
    ScaledInteger,
    first_input,
)

_Change = Callable[[Array], Array]


def reshape(node: ir.Node, result: Analysis) -> None:
    """Reshape; scales per channel go with it where channels stay together."""
    value = first_input(node)
    if value not in result.functions:
        found = constant_integers(value, result)
        if found is not None:
            reshaped_constant(node, found, result)
        return
    before, after = get_shape(value), get_shape(node.outputs[0])
    if before is None or after is None:
        return
    if not _has_channels(result.functions[value]):
        _move(node, result)
    elif len(after) > 1 and after[0] == before[0] and after[1] % before[1] == 0:
        # (N, C, H, W) to (N, C·H·W) or (N, C·H, W): a channel becomes several, one after the other.
        repeats = after[1] // before[1]
        _move(node, result, lambda numbers: np.repeat(numbers, repeats))
    else:
        result.reasons[node] = "reshapes a tensor whose scale differs between channels; quantise it first"


def transpose(node: ir.Node, result: Analysis) -> None:
    """Transpose of weights, or of activations."""
    value = first_input(node)
    function = result.functions.get(value)
    if function is None:
        found = constant_integers(value, result)
        if found is not None:
            transposed_constant(node, found, result)
        return
    rank = len(get_shape(value) or ())
    order = [int(axis) for axis in attribute(node, "perm", range(rank)[::-1])]
    if order[0] != 0:
        result.reasons[node] = "moves the batch dimension"
    elif _has_channels(function) and order[1] != 1:
        result.reasons[node] = "moves channels whose scales differ; use per-tensor activation quantisation"
    else:
        _move(node, result)


def regrouping(node: ir.Node, result: Analysis) -> None:
    """DepthToSpace, SpaceToDepth: channels become positions and back."""
    function = result.functions.get(first_input(node))
    if function is None:
        return
    if _has_channels(function):
        result.reasons[node] = "mixes channels whose scales differ; use per-tensor quantisation before it"
        return
    _move(node, result)


def resize(node: ir.Node, result: Analysis) -> None:
    """Resize and Upsample that repeat the nearest element."""
    if first_input(node) not in result.functions:
        return
    if str(attribute(node, "mode", "nearest")) != "nearest":
        result.reasons[node] = f"interpolates ({attribute(node, 'mode')}); use nearest"
        return
    before, after = get_shape(first_input(node)), get_shape(node.outputs[0])
    if before is None or after is None or before[:2] != after[:2]:
        result.reasons[node] = "resizes the batch or the channels"
        return
    if str(attribute(node, "coordinate_transformation_mode", "")) == "tf_crop_and_resize":
        result.reasons[node] = "crops and extrapolates; use another coordinate transformation"
        return
    _move(node, result)


def slice_(node: ir.Node, result: Analysis) -> None:
    """Slice with constant limits."""
    value = first_input(node)
    function, shape = result.functions.get(value), get_shape(value)
    if function is None or shape is None:
        return
    limits = [get_constant(entry) for entry in node.inputs[1:]]
    if len(node.inputs) < 3:
        names = ("starts", "ends", "axes")
        limits = [None if attribute(node, name) is None else np.asarray(attribute(node, name)) for name in names]
    starts, ends, axes, steps = (*limits, None, None, None, None)[:4]
    if any(entry is not None and get_constant(entry) is None for entry in node.inputs[1:]) or starts is None:
        result.reasons[node] = "its limits are not constant"
        return
    indices = np.arange(shape[1])
    for position, axis in enumerate(axes if axes is not None else range(len(starts))):
        if int(axis) % len(shape) == 0:
            result.reasons[node] = "cuts the batch dimension"
            return
        if int(axis) % len(shape) == 1 and ends is not None:
            step = 1 if steps is None else int(steps[position])
            start, end = int(starts[position]), int(ends[position])
            # Below the first element there is no index for Python's slices: -shape-1 and less mean "to the front".
            indices = indices[start : None if step < 0 and end < -shape[1] else end : step]
    _move(node, result, lambda numbers: numbers[indices])


def split(node: ir.Node, result: Analysis) -> None:
    """Split along any axis but the batch."""
    value = first_input(node)
    function, shape = result.functions.get(value), get_shape(value)
    if function is None or shape is None:
        return
    axis = int(attribute(node, "axis", 0)) % len(shape)
    if axis == 0:
        result.reasons[node] = "cuts the batch dimension"
        return
    start = 0
    for output in node.outputs:
        end = start + ((get_shape(output) or shape)[1] if axis == 1 else 0)
        keep = slice(start, end) if axis == 1 else slice(None)
        moved = _moved(function, output, lambda numbers, keep=keep: numbers[keep])  # type: ignore[misc]
        result.functions[output] = moved
        start = end
    result.operations[node] = Movement(function.source)


def pad(node: ir.Node, result: Analysis) -> None:
    """Pad, behind batch and channels: with a constant that is an integer, or with what is there."""
    value = first_input(node)
    function, shape = result.functions.get(value), get_shape(value)
    if function is None or shape is None:
        return
    pads = get_constant(node.inputs[1]) if len(node.inputs) > 1 else np.asarray(attribute(node, "pads", ()))
    if pads is None or len(pads) != 2 * len(shape):
        result.reasons[node] = "its padding is not constant, or is for some axes only"
        return
    if pads[[0, 1, len(shape), len(shape) + 1]].any():
        result.reasons[node] = "pads the batch or the channels"
        return
    if str(attribute(node, "mode", "constant")) != "constant":
        _move(node, result)
        return
    given = get_constant(node.inputs[2]) if len(node.inputs) > 2 else np.asarray(attribute(node, "value", 0.0))
    operand = operand_of(node, value, result)
    if operand is None:
        return
    function, form = result.functions[value], operand.form
    if given is None or _has_channels(function):
        result.reasons[node] = "pads a tensor that is not quantised with one scale"
        return
    fill = (float(given.ravel()[0]) - float(form.bias)) / float(form.scale)
    if abs(fill - round(fill)) > 1e-6 or abs(fill) >= EXACT_FLOAT32:
        result.reasons[node] = f"pads with {float(given.ravel()[0]):.6g}, which is no integer of its input"
        return
    whole, source = round(fill), function.source
    datatype = source.datatype
    if not datatype.allowed(whole):
        datatype = DataType.smallest_for_range(min(source.minimum, whole), max(source.maximum, whole))
    integers = replace(
        source,
        value=node.outputs[0],
        datatype=datatype,
        minimum=min(source.minimum, whole),
        maximum=max(source.maximum, whole),
    )
    result.functions[node.outputs[0]] = IntegerFunction(integers, function.expression)
    result.operations[node] = Movement(source, fill=whole)


def max_pool(node: ir.Node, result: Analysis) -> None:
    """MaxPool and GlobalMaxPool of the integers; of their negatives in channels where the function over them falls."""
    function = result.functions.get(first_input(node))
    if function is None:
        return
    if len(node.outputs) > 1 and node.outputs[1].uses():
        result.reasons[node] = "gives indices, for which there is no layer"
        return
    form, signs = function.affine(), None
    if form is not None:
        signs = np.where(form.scale < 0, -1, 1)
        signs = None if (signs == 1).all() else signs
    elif not is_rising(function.expression) or (function.source.scale < 0).any():
        result.reasons[node] = "its input is not quantised: the activation before it needs a quantiser"
        return
    source = function.source
    if signs is None:
        _move(node, result)
        return
    low, high = min(source.minimum, -source.maximum), max(source.maximum, -source.minimum)
    datatype = source.datatype
    if not (datatype.allowed(low) and datatype.allowed(high)):
        datatype = DataType.smallest_for_range(low, high)
    integers = ScaledInteger(
        node.outputs[0], datatype, low, high, np.asarray(source.scale * signs), source.bias, source.exact
    )
    result.functions[node.outputs[0]] = IntegerFunction(integers, function.expression)
    result.operations[node] = Movement(source, signs=signs)


def _has_channels(function: IntegerFunction) -> bool:
    return function.source.channels > 1 or has_channels(function.expression)


def _move(node: ir.Node, result: Analysis, change: _Change | None = None) -> None:
    function = result.functions[first_input(node)]
    result.functions[node.outputs[0]] = _moved(function, node.outputs[0], change)
    result.operations[node] = Movement(function.source)


def _moved(function: IntegerFunction, output: ir.Value, change: _Change | None) -> IntegerFunction:
    """The same function of integers that are elsewhere; ``change`` says where the numbers of channels go."""
    source, expression = function.source, function.expression
    if change is None or not _has_channels(function):
        return IntegerFunction(replace(source, value=output), expression)
    moved = replace(source, value=output, scale=_changed(source.scale, change), bias=_changed(source.bias, change))
    return IntegerFunction(moved, _changed_expression(expression, change))


def _changed_expression(expression: Expression, change: _Change) -> Expression:
    return (
        with_channels(expression, lambda numbers: _changed(numbers, change)) if has_channels(expression) else expression
    )


def _changed(numbers: Array, change: _Change) -> Array:
    return change(numbers) if numbers.ndim == 1 else numbers
