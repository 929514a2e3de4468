"""Constants: weights and biases behind their quantisers, and what is done to them before they are used."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir as ir

from finnmake.errors import ModelError
from finnmake.graph.custom_op import Array, attribute, describe
from finnmake.graph.datatype import AnyDataType, DataType
from finnmake.graph.general_ops import integer_format
from finnmake.graph.model_wrapper import get_constant, get_datatype, get_shape
from finnmake.graph.quantisation import quantise
from finnmake.graph.scaled_integer_analysis.tensors import EXACT_FLOAT32, Analysis, ConstantIntegers, first_input


def quantised_constant(node: ir.Node, array: Array, result: Analysis) -> None:
    """A Quant or BipolarQuant on a constant: the integers are computed now.

    Raises:
        ModelError: for parameters that are not constant, a scale of zero.
    """
    parameters = [get_constant(value) for value in node.inputs[1:]]
    if any(parameter is None for parameter in parameters):
        raise not_constant(node)
    numbers = [np.asarray(parameter, dtype=np.float32) for parameter in parameters]
    x = np.asarray(array, dtype=np.float32)
    scale = numbers[0].astype(np.float64)
    if (scale == 0).any():
        raise ModelError(
            "its scale is zero", where=describe(node), remedy="The training diverged: train the model again."
        )
    if node.op_type == "BipolarQuant":
        integers, datatype = np.where(x >= 0, np.float32(1), np.float32(-1)), DataType["BIPOLAR"]
    elif node.op_type == "Quant":
        form = integer_format(node, numbers[2])
        zero = numbers[1]
        if (zero != np.round(zero)).any() or np.unique(zero).size != 1:
            result.reasons[node] = "its zero point is not one whole number"
            return
        integers = quantise(x, numbers[0], zero, form, str(attribute(node, "rounding_mode", "ROUND")))
        datatype = form.datatype()
        shift = int(zero.ravel()[0])
        if shift:
            integers = _small(integers.astype(np.int64) - shift)
            datatype = DataType.smallest_for_range(form.minimum - shift, form.maximum - shift)
    else:
        return
    result.constants[node.outputs[0]] = ConstantIntegers(integers, datatype, _with_rank(scale, x.ndim))


def dequantised_constant(node: ir.Node, array: Array, result: Analysis) -> None:
    """A DequantizeLinear of constant integers.

    Raises:
        ModelError: for parameters that are not constant, a scale of zero.
    """
    parameters = [None if value is None else get_constant(value) for value in node.inputs[1:]]
    scale = parameters[0]
    zero = parameters[1] if len(parameters) > 1 else np.zeros((), dtype=np.int64)
    if scale is None or zero is None:
        raise not_constant(node)
    if (scale == 0).any():
        raise ModelError("its scale is zero", where=describe(node), remedy="Quantise the model again.")
    if scale.ndim > 1 or attribute(node, "block_size", 0):
        result.reasons[node] = "its weights are quantised in blocks; use one scale per output or per tensor"
        return
    shape = [1] * array.ndim
    if scale.size > 1:
        shape[int(attribute(node, "axis", 1))] = scale.size
    shifts = np.unique(zero.astype(np.int64))
    integers, datatype = array.astype(np.int64), _storage_datatype(node, array)
    if shifts.size > 1 or shifts[0] != 0:
        integers = integers - (zero.astype(np.int64).reshape(shape) if zero.size > 1 else shifts[0])
        low, high = int(datatype.min()) - int(shifts.max()), int(datatype.max()) - int(shifts.min())
        datatype = DataType.smallest_for_range(low, high)
    result.constants[node.outputs[0]] = ConstantIntegers(
        _small(integers), datatype, scale.astype(np.float64).reshape(shape if scale.size > 1 else [1] * array.ndim)
    )


def _storage_datatype(node: ir.Node, array: Array) -> AnyDataType:
    value = first_input(node)
    annotated = get_datatype(value)
    if annotated.is_integer():
        return annotated
    name = value.dtype.name if value.dtype is not None else ""
    return DataType[name] if name.startswith(("INT", "UINT")) else DataType[str(array.dtype).upper()]


def constant_integers(value: ir.Value | None, result: Analysis) -> ConstantIntegers | None:
    """A constant operand as integers: behind a quantiser, or whole numbers as they stand.

    Raises:
        ModelError: for values that its annotated datatype does not hold.
    """
    if value is None:
        return None
    found = result.constants.get(value)
    array = get_constant(value)
    if found is not None or array is None:
        return found
    annotated = get_datatype(value)
    if array.dtype.kind == "f" and (array != np.round(array)).any():
        return None
    integers = _small(array)
    datatype = annotated
    if not annotated.is_integer():
        datatype = DataType.smallest_for_range(int(integers.min()), int(integers.max()))
    if not datatype.allowed_array(integers):
        raise ModelError(
            f"has values that {datatype} does not hold", where=f"tensor {value.name}", remedy="Correct its annotation."
        )
    return ConstantIntegers(integers, datatype, np.ones((1,) * array.ndim))


def constant_value(value: ir.Value | None, result: Analysis) -> Array | None:
    """The value of a constant tensor, also behind a quantiser; None for other tensors."""
    array = get_constant(value)
    if array is not None or value is None:
        return array
    found = result.constants.get(value)
    return found.values() if found is not None else None


def transposed_constant(node: ir.Node, found: ConstantIntegers, result: Analysis) -> None:
    """A Transpose of weights."""
    order = list(attribute(node, "perm", range(found.integers.ndim)[::-1]))
    result.constants[node.outputs[0]] = replace(
        found, integers=found.integers.transpose(order), scale=found.scale.transpose(order)
    )


def reshaped_constant(node: ir.Node, found: ConstantIntegers, result: Analysis) -> None:
    """A Reshape of weights whose scale is one number, or stays on the axis it is on."""
    shape = get_shape(node.outputs[0])
    if shape is None:
        return
    scale = found.scale
    if scale.size == 1:
        scale = scale.reshape((1,) * len(shape))
    elif scale.size == scale.shape[0] == shape[0]:
        scale = scale.reshape((-1,) + (1,) * (len(shape) - 1))
    else:
        result.reasons[node] = "reshapes weights whose scale differs along another axis than the first"
        return
    result.constants[node.outputs[0]] = replace(found, integers=found.integers.reshape(shape), scale=scale)


def not_constant(node: ir.Node) -> ModelError:
    """The error for quantisation parameters that are computed."""
    return ModelError(
        "its scale, zero point, bit width or thresholds are not constant",
        where=describe(node),
        remedy="Export the model in evaluation mode, with fixed quantisation parameters.",
    )


def _small(integers: Array) -> Array:
    """In float32 where it holds them: half the memory, and what the graph needs."""
    if integers.dtype == np.float32:
        return integers
    reach = max(-int(integers.min(initial=0)), int(integers.max(initial=0)))
    return integers.astype(np.float32) if reach <= EXACT_FLOAT32 else integers.astype(np.int64)


def _with_rank(scale: Array, rank: int) -> Array:
    if scale.size == 1:
        return scale.reshape((1,) * rank)
    return scale.reshape((1,) * (rank - scale.ndim) + scale.shape)
