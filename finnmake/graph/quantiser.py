"""A quantiser of activations: from float values to integers, and what the integers are worth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.errors import ModelError
from finnmake.graph.custom_op import attribute, describe
from finnmake.graph.datatype import AnyDataType, DataType
from finnmake.graph.expression import NotPerChannelError, channel_constant
from finnmake.graph.general_ops import GENERAL_OPS, channel_axis, integer_format
from finnmake.graph.model_wrapper import get_constant, get_datatype
from finnmake.graph.quantisation import count_thresholds, quantise

Array = NDArray[Any]


@dataclass(frozen=True)
class Quantiser:
    """One quantiser node.

    Attributes:
        datatype: of the integers.
        minimum: smallest integer.
        maximum: largest integer.
        step: difference of neighbouring integers: 1, for BIPOLAR 2.
        scale: float64, shape () or (C,): what an integer is worth.
        bias: float64, shape () or (C,): value = scale · integer + bias.
        levels: float32 values of shape (points, channels) to how many steps above the minimum they are, int64.
        per_channel: ``levels`` differs between channels.
        boundaries: gives near which value each level is reached: float64, shape (thresholds,) or (C, thresholds). A
            hint for a search.
    """

    datatype: AnyDataType
    minimum: int
    maximum: int
    step: int
    scale: Array
    bias: Array
    levels: Callable[[Array], Array]
    per_channel: bool
    boundaries: Callable[[], Array]

    @property
    def thresholds(self) -> int:
        """How many thresholds it takes."""
        return (self.maximum - self.minimum) // self.step


def quantiser_of(node: ir.Node, rank: int) -> Quantiser:
    """The quantiser that a Quant, BipolarQuant or MultiThreshold node is.

    Args:
        node: its parameters are constants.
        rank: of its input.

    Raises:
        NotPerChannelError: where its parameters vary within a channel.
        ModelError: where its parameters make no sense.
    """
    parameters = [np.asarray(get_constant(value)) for value in node.inputs[1:]]
    if node.op_type == "MultiThreshold":
        return _multi_threshold(node, parameters[0], rank)
    numbers = [channel_constant(parameter.astype(np.float32), rank).array for parameter in parameters]
    scale = numbers[0].astype(np.float64)
    if (scale <= 0).any():
        raise _diverged(node)
    if node.op_type == "BipolarQuant":
        return Quantiser(
            DataType["BIPOLAR"],
            -1,
            1,
            2,
            scale,
            np.asarray(0.0),
            lambda x: (x >= 0).astype(np.int64),
            False,
            lambda: np.zeros(1),
        )
    zero_point = numbers[1]
    form = integer_format(node, numbers[2])
    if form.minimum == form.maximum:
        raise ModelError(
            "1 bit, unsigned and narrow has one value only",
            where=describe(node),
            remedy="Use 2 bits, or narrow_range=False, for this activation.",
        )
    mode = str(attribute(node, "rounding_mode", "ROUND"))
    step = 2 if form.bipolar else 1

    def levels(x: Array) -> Array:
        q = quantise(x, numbers[0], zero_point, form, mode).astype(np.int64)
        return np.asarray((q - form.minimum) // step)

    low, high, bias, datatype = form.minimum, form.maximum, np.asarray(0.0), form.datatype()
    if zero_point.size == 1 and float(zero_point) == round(float(zero_point)):
        shift = int(zero_point)
        low, high = low - shift, high - shift
        if shift:
            datatype = DataType.smallest_for_range(low, high)
    else:
        bias = np.asarray(-zero_point.astype(np.float64) * scale)
    per_channel = numbers[0].size > 1 or zero_point.size > 1
    boundaries = partial(_boundaries, scale, zero_point, form.minimum, form.maximum, step)
    return Quantiser(datatype, low, high, step, scale, bias, levels, per_channel, boundaries)


def _boundaries(scale: Array, zero_point: Array, low: int, high: int, step: int = 1) -> Array:
    """Half way between the values of neighbouring integers."""
    middles = np.arange(low, high, step) + step / 2
    if scale.size == 1 and zero_point.size == 1:
        return np.asarray((middles - zero_point.reshape(())) * scale.reshape(()))
    return np.asarray((middles[None, :] - zero_point.reshape(-1, 1)) * scale.reshape(-1, 1))


def _multi_threshold(node: ir.Node, thresholds: Array, rank: int) -> Quantiser:
    if channel_axis(node, rank) != 1:
        raise NotPerChannelError
    count = thresholds.shape[1]
    scale, bias = float(attribute(node, "out_scale", 1.0)), float(attribute(node, "out_bias", 0.0))
    name = str(attribute(node, "out_dtype", ""))
    if scale <= 0:
        raise ModelError("its out_scale is not positive", where=describe(node))

    def levels(x: Array) -> Array:
        return count_thresholds(x, thresholds).astype(np.int64)

    per_channel = thresholds.shape[0] > 1
    none, one = np.asarray(0.0), np.asarray(1.0)

    def boundaries() -> Array:
        ordered = np.sort(thresholds.astype(np.float64), axis=1)
        return ordered if per_channel else ordered[0]

    if name == "BIPOLAR" and count == 1 and scale == 2 and bias == -1:
        return Quantiser(DataType["BIPOLAR"], -1, 1, 2, one, none, levels, per_channel, boundaries)
    offset = bias / scale
    if offset != round(offset):
        return Quantiser(
            DataType.smallest_for_range(0, count),
            0,
            count,
            1,
            np.asarray(scale),
            np.asarray(bias),
            levels,
            per_channel,
            boundaries,
        )
    low, high = round(offset), round(offset) + count
    datatype = (
        DataType[name]
        if name and DataType[name].is_integer() and scale == 1
        else DataType.smallest_for_range(low, high)
    )
    return Quantiser(datatype, low, high, 1, np.asarray(scale), none, levels, per_channel, boundaries)


def trunc_levels(node: ir.Node, x: Array) -> Array:
    """The integers that a Trunc gives for float32 values of shape (points, channels), int64."""
    parameters = [np.asarray(get_constant(value), dtype=np.float32) for value in node.inputs[1:]]
    numbers = [parameter.reshape(() if parameter.size == 1 else (1, -1)) for parameter in parameters]
    op = GENERAL_OPS.find(node)
    if op is None:
        raise ModelError("is not known", where=describe(node))
    scale, zero = _trunc_output(node)
    values = op.execute(node, [x, *numbers])[0]
    return np.asarray(np.rint(values.astype(np.float64) / scale + zero).astype(np.int64))


def _trunc_output(node: ir.Node) -> tuple[Array, Array]:
    """What the integers of a Trunc are worth: value = scale · (integer - zero point)."""
    numbers = [np.asarray(get_constant(value), dtype=np.float64) for value in node.inputs[1:]]
    numbers = [number.reshape(() if number.size == 1 else -1) for number in numbers]
    if len(numbers) == 4:
        return numbers[0], numbers[1]
    step = np.exp2(np.round(np.log2(numbers[3] / numbers[0])))
    return numbers[3], numbers[1] / step


def trunc_of(node: ir.Node, rank: int, minimum: int | None = None, maximum: int | None = None) -> Quantiser:
    """The quantiser that a Trunc node is.

    Args:
        node: its parameters are constants.
        rank: of its input.
        minimum: smallest integer, for a Trunc of 5 inputs, which does not say.
        maximum: largest integer, likewise.

    Raises:
        NotPerChannelError: where its parameters vary within a channel.
        ModelError: where its parameters make no sense.
    """
    for value in node.inputs[1:]:
        channel_constant(np.asarray(get_constant(value)), rank)
    scale, zero = _trunc_output(node)
    if (scale <= 0).any():
        raise _diverged(node)
    if (zero != np.round(zero)).any() or zero.size > 1:
        raise NotPerChannelError
    shift = int(zero)
    if minimum is None or maximum is None:
        form = integer_format(node, np.asarray(get_constant(node.inputs[5])))
        minimum, maximum, datatype = form.minimum, form.maximum, form.datatype()
    else:
        datatype = DataType.smallest_for_range(minimum, maximum)
    lowest = minimum
    boundaries = partial(_boundaries, scale, zero, minimum, maximum)

    def levels(x: Array) -> Array:
        return trunc_levels(node, x) - lowest

    if shift:
        minimum, maximum = minimum - shift, maximum - shift
        datatype = DataType.smallest_for_range(minimum, maximum)
    per_channel = any(np.asarray(get_constant(value)).size > 1 for value in node.inputs[1:])
    return Quantiser(datatype, minimum, maximum, 1, scale, np.asarray(0.0), levels, per_channel, boundaries)


def quantize_linear_of(node: ir.Node, rank: int) -> Quantiser:
    """The quantiser that a QuantizeLinear node is: its integers are worth 1, the zero point is among them.

    Raises:
        NotPerChannelError: where its parameters vary along another axis than the channels.
        ModelError: where its parameters make no sense.
    """
    parameters = [None if value is None else get_constant(value) for value in node.inputs[1:]]
    scale = np.asarray(parameters[0], dtype=np.float32)
    zero = parameters[1] if len(parameters) > 1 else None
    if max(scale.size, 1 if zero is None else zero.size) > 1 and int(attribute(node, "axis", 1)) % max(rank, 1) != 1:
        raise NotPerChannelError
    if (scale <= 0).any():
        raise _diverged(node)
    datatype = _storage_datatype(node)
    low, high = int(datatype.min()), int(datatype.max())
    divisor = scale.reshape(() if scale.size == 1 else (1, -1))
    shift = np.zeros((), dtype=np.float32) if zero is None else zero.astype(np.float32)
    shift = shift.reshape(() if shift.size == 1 else (1, -1))

    def levels(x: Array) -> Array:
        # As ONNX defines it: rounded to even first, then shifted; saturation last.
        rounded = np.clip(np.rint(x / divisor) + shift, low, high)
        return np.asarray(rounded.astype(np.int64) - low)

    per_channel = max(scale.size, shift.size) > 1
    boundaries = partial(_boundaries, scale.astype(np.float64), shift, low, high)
    return Quantiser(datatype, low, high, 1, np.asarray(1.0), np.asarray(0.0), levels, per_channel, boundaries)


def clipped(quantiser: Quantiser, low: int | None, high: int | None) -> Quantiser:
    """A quantiser with a smaller range of integers."""
    minimum = quantiser.minimum if low is None else max(low, quantiser.minimum)
    maximum = quantiser.maximum if high is None else min(high, quantiser.maximum)
    offset, most = minimum - quantiser.minimum, maximum - minimum

    def levels(x: Array) -> Array:
        return np.asarray(np.clip(quantiser.levels(x) - offset, 0, most))

    datatype = DataType.smallest_for_range(minimum, maximum)

    def boundaries() -> Array:
        return np.asarray(quantiser.boundaries()[..., offset : offset + most])

    return replace(quantiser, datatype=datatype, minimum=minimum, maximum=maximum, levels=levels, boundaries=boundaries)


def _storage_datatype(node: ir.Node) -> AnyDataType:
    """The integers that a QuantizeLinear gives: as its zero point or its output is annotated or stored."""
    for value in (node.outputs[0], node.inputs[2] if len(node.inputs) > 2 else None):
        if value is not None and get_datatype(value).is_integer():
            return get_datatype(value)
        if value is not None and value.dtype is not None and value.dtype.name.startswith(("INT", "UINT")):
            return DataType[value.dtype.name]
    return DataType["UINT8"]


def _diverged(node: ir.Node) -> ModelError:
    return ModelError(
        "its scale is zero or negative", where=describe(node), remedy="The training diverged: train the model again."
    )
