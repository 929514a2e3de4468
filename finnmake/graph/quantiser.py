"""A quantiser of activations: from float values to integers, and what the integers are worth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.errors import ModelError
from finnmake.graph.custom_op import attribute, describe
from finnmake.graph.datatype import AnyDataType, DataType
from finnmake.graph.expression import NotPerChannelError, channel_constant
from finnmake.graph.general_ops import integer_format
from finnmake.graph.model_wrapper import get_constant
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
    """

    datatype: AnyDataType
    minimum: int
    maximum: int
    step: int
    scale: Array
    bias: Array
    levels: Callable[[Array], Array]
    per_channel: bool

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
        return _multi_threshold(node, parameters[0])
    numbers = [channel_constant(parameter.astype(np.float32), rank).array for parameter in parameters]
    scale = numbers[0].astype(np.float64)
    if (scale <= 0).any():
        raise ModelError(
            "its scale is zero or negative",
            where=describe(node),
            remedy="The training diverged: train the model again.",
        )
    if node.op_type == "BipolarQuant":
        return Quantiser(
            DataType["BIPOLAR"], -1, 1, 2, scale, np.asarray(0.0), lambda x: (x >= 0).astype(np.int64), False
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
    return Quantiser(datatype, low, high, step, scale, bias, levels, per_channel)


def _multi_threshold(node: ir.Node, thresholds: Array) -> Quantiser:
    if str(attribute(node, "data_layout", "")) in ("NHWC", "NWC"):
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
    if name == "BIPOLAR" and count == 1 and scale == 2 and bias == -1:
        return Quantiser(DataType["BIPOLAR"], -1, 1, 2, one, none, levels, per_channel)
    offset = bias / scale
    if offset != round(offset):
        return Quantiser(
            DataType.smallest_for_range(0, count), 0, count, 1, np.asarray(scale), np.asarray(bias), levels, per_channel
        )
    low, high = round(offset), round(offset) + count
    datatype = (
        DataType[name]
        if name and DataType[name].is_integer() and scale == 1
        else DataType.smallest_for_range(low, high)
    )
    return Quantiser(datatype, low, high, 1, np.asarray(scale), none, levels, per_channel)
