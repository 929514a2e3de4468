"""MatMul and Conv: integers times integers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir as ir

from finnmake.errors import ModelError
from finnmake.graph.custom_op import Array, attribute, describe
from finnmake.graph.datatype import AnyDataType, DataType
from finnmake.graph.model_wrapper import get_constant, get_shape
from finnmake.graph.padding import explicit_pads
from finnmake.graph.scaled_integer_analysis.constants import constant_integers, constant_value
from finnmake.graph.scaled_integer_analysis.operands import operand_of
from finnmake.graph.scaled_integer_analysis.tensors import (
    EXACT_FLOAT32,
    Analysis,
    ConstantIntegers,
    Operand,
    Product,
    ScaledInteger,
    collapsed,
    first_input,
    sums_are_exact,
)

_LARGEST_MULTIPLE = 2**15


class _NoCommonScaleError(Exception):
    """The scales that meet in one sum have nothing to do with each other."""


def _weights(node: ir.Node, result: Analysis) -> ConstantIntegers | None:
    """The second input as integers; None where it is none, with the reason noted."""
    weights = constant_integers(node.inputs[1], result)
    if weights is None:
        constant = node.inputs[1] is not None and get_constant(node.inputs[1]) is not None
        result.reasons[node] = "its weights are not quantised" if constant else "its weights are not constant"
    return weights


def matmul(node: ir.Node, result: Analysis) -> None:
    """Activations times a constant matrix, for any rank of the activations.

    Raises:
        ModelError: for sums beyond 24 bits.
    """
    value = first_input(node)
    weights = _weights(node, result)
    if weights is None:
        return
    operand = operand_of(node, value, result)
    if operand is None:
        return
    if weights.integers.ndim != 2:
        result.reasons[node] = f"its weights have {weights.integers.ndim} dimensions; only matrices are understood"
        return
    rank = len(get_shape(value) or ())
    if rank > 2:
        if max(operand.form.scale.size, operand.form.bias.size, weights.scale.size) > 1 or operand.form.bias.any():
            result.reasons[node] = f"has an input of rank {rank} and a scale per channel or a bias; use one per tensor"
            return
    elif rank != 2:
        return
    try:
        # As a convolution's weights: outputs first.
        transposed = replace(weights, integers=weights.integers.T, scale=weights.scale.T)
        base, multiples = _common_scale(operand.form.scale.reshape(1, -1) * transposed.scale)
    except _NoCommonScaleError:
        result.reasons[node] = _no_common_scale(operand, weights.scale.shape[0] > 1)
        return
    scaled = _multiplied(transposed, multiples)
    bias = _bias(operand.form.bias.reshape(1, -1), transposed, ())
    sums = _sums(node, operand, scaled, base, bias, rank)
    weights = weights if multiples is None else replace(scaled, integers=scaled.integers.T)
    result.decide(node, Product(operand, weights), sums)


def conv(node: ir.Node, result: Analysis) -> None:
    """A convolution with constant weights: dense, depthwise, or in groups, which are widened to dense ones.

    Raises:
        ModelError: for sums beyond 24 bits.
    """
    value = first_input(node)
    weights = _weights(node, result)
    if weights is None:
        return
    operand = operand_of(node, value, result)
    shape = get_shape(value)
    if operand is None or shape is None or len(shape) != weights.integers.ndim:
        return
    bias_tensor = node.inputs[2] if len(node.inputs) > 2 else None
    bias = np.zeros(()) if bias_tensor is None else constant_value(bias_tensor, result)
    if bias is None:
        result.reasons[node] = "its bias is not constant"
        return
    if any(size > 1 for size in weights.scale.shape[2:]):
        result.reasons[node] = "its weights have a scale per position; use one scale per output or per tensor"
        return
    pads = explicit_pads(node, shape, weights.integers.shape[2:])
    zero = _zero(operand) if any(pads) else 0
    if zero is None:
        result.reasons[node] = (
            f"pads with 0.0, which is no integer of its input: {_numbers(operand.form.scale)} · integer + "
            f"{_numbers(operand.form.bias)}; leave out the padding or the shift before it"
        )
        return
    try:
        product, base = _convolution(node, operand, weights, zero, pads)
    except _NoCommonScaleError:
        result.reasons[node] = _no_common_scale(operand, weights.scale.shape[1] > 1)
        return
    spatial = tuple(range(2, weights.integers.ndim))
    per_input = _by_group(operand.form.bias, weights, int(attribute(node, "group", 1)))
    total = collapsed(_bias(per_input, weights, spatial) + bias.astype(np.float64))
    sums = _sums(node, operand, product.weights, base, total, weights.integers.ndim, zero=zero if any(pads) else None)
    result.decide(node, product, sums)


def _convolution(
    node: ir.Node, operand: Operand, weights: ConstantIntegers, zero: int, pads: tuple[int, ...]
) -> tuple[Product, Array]:
    group = int(attribute(node, "group", 1))
    channels = weights.integers.shape[1] * group
    scales = _by_group(operand.form.scale, weights, group) * weights.scale.reshape(weights.scale.shape[:2])
    base, multiples = _common_scale(scales)
    scaled = _multiplied(weights, multiples)
    if group not in (1, channels):
        scaled, group = _widened(scaled, group), 1
    return Product(operand, scaled, group, zero, pads), base


def _by_group(numbers: Array, weights: ConstantIntegers, group: int) -> Array:
    """Numbers of the input's channels as a matrix (outputs or 1, inputs of an output or 1)."""
    if numbers.size == 1:
        return numbers.reshape(1, 1)
    outputs, inputs = weights.integers.shape[:2]
    return np.asarray(numbers.reshape(group, inputs)[np.arange(outputs) // (outputs // group)])


def _common_scale(scales: Array) -> tuple[Array, Array | None]:
    """Scales (outputs or 1, inputs or 1) as one per output times whole numbers, None where these are all 1.

    Raises:
        _NoCommonScaleError: where they are no whole multiples of the smallest one of their output.
    """
    if scales.shape[1] == 1 or (scales == scales[:, :1]).all():
        return collapsed(scales[:, 0]), None
    base = scales[np.arange(len(scales)), np.abs(scales).argmin(axis=1)][:, None]
    multiples = scales / base
    if (multiples != np.round(multiples)).any() or np.abs(multiples).max() > _LARGEST_MULTIPLE:
        raise _NoCommonScaleError
    return collapsed(base[:, 0]), multiples


def _multiplied(weights: ConstantIntegers, multiples: Array | None) -> ConstantIntegers:
    if multiples is None:
        return weights
    factors = multiples.reshape(multiples.shape + (1,) * (weights.integers.ndim - 2))
    ends = [int(end) * int(m) for end in _ends(weights.datatype) for m in (multiples.min(), multiples.max())]
    datatype = DataType.smallest_for_range(min(ends), max(ends))
    return ConstantIntegers((weights.integers * factors).astype(np.float32), datatype, weights.scale)


def _widened(weights: ConstantIntegers, group: int) -> ConstantIntegers:
    """Weights of a convolution in groups as those of a dense one: 0 from the channels of other groups."""
    outputs, inputs = weights.integers.shape[:2]
    dense = np.zeros((outputs, inputs * group, *weights.integers.shape[2:]), dtype=np.float32)
    for index in range(group):
        rows = slice(index * outputs // group, (index + 1) * outputs // group)
        dense[rows, index * inputs : (index + 1) * inputs] = weights.integers[rows]
    datatype = weights.datatype
    if not datatype.allowed(0):
        datatype = DataType.smallest_for_range(int(datatype.min()), int(datatype.max()))
    return ConstantIntegers(dense, datatype, weights.scale)


def _bias(per_input: Array, weights: ConstantIntegers, spatial: tuple[int, ...]) -> Array:
    """What the input's bias (outputs or 1, inputs or 1) adds to each output: shape () or (outputs,)."""
    if not per_input.any():
        return np.zeros(())
    sums = weights.integers.sum(axis=spatial, dtype=np.float64) * weights.scale.reshape(weights.scale.shape[:2])
    return collapsed((sums * per_input).sum(axis=1))


def _zero(operand: Operand) -> int | None:
    """The integer that stands for 0.0, None where there is none."""
    zero = collapsed(-operand.form.bias / operand.form.scale)
    return int(zero) if zero.ndim == 0 and zero == np.round(zero) and abs(zero) < EXACT_FLOAT32 else None


def _sums(
    node: ir.Node,
    operand: Operand,
    weights: ConstantIntegers,
    scale: Array,
    bias: Array,
    rank: int,
    zero: int | None = None,
) -> ScaledInteger:
    """The integer sums; the weights' first dimension is the outputs.

    Their range is that of the datatypes; where this is beyond 24 bits, that of the weights as they are.
    """
    source = operand.source
    low_end, high_end = source.minimum, source.maximum
    if zero is not None:
        low_end, high_end = min(low_end, zero), max(high_end, zero)
    inner = weights.integers[0].size
    products = [a * b for a in (low_end, high_end) for b in _ends(weights.datatype)]
    low, high = inner * min(products), inner * max(products)
    if max(-low, high) >= EXACT_FLOAT32:
        low, high = _range_of_weights(weights.integers, low_end, high_end)
        if max(-low, high) >= EXACT_FLOAT32:
            raise ModelError(
                f"its accumulator ranges from {low} to {high}, beyond 24 bits",
                where=describe(node),
                remedy="Use fewer bits for weights or activations, or smaller layers.",
            )
    largest = max(abs(end) for end in _ends(weights.datatype))
    shift = np.abs(operand.form.bias / operand.form.scale).max()
    reach = int(inner * largest * (max(-low_end, high_end) + shift))
    exact = sums_are_exact(operand, scale, bias, reach)
    datatype = DataType.smallest_for_range(low, high)
    return ScaledInteger(node.outputs[0], datatype, low, high, scale, np.asarray(bias), exact)


def _range_of_weights(integers: Array, low: int, high: int) -> tuple[int, int]:
    flat = integers.reshape(len(integers), -1)
    positive = np.maximum(flat, 0).sum(axis=1, dtype=np.float64)
    negative = np.minimum(flat, 0).sum(axis=1, dtype=np.float64)
    # With 0 among the inputs: partial sums must fit too. Symmetric, as channels may be negated later.
    low, high = min(low, 0), max(high, 0)
    reach = max(-(positive * low + negative * high).min(), (positive * high + negative * low).max())
    return -int(reach), int(reach)


def _ends(datatype: AnyDataType) -> tuple[int, int]:
    return int(datatype.min()), int(datatype.max())


def _no_common_scale(operand: Operand, by_weights: bool) -> str:
    if by_weights:
        return "its weights have a scale per input; use one scale per output or per tensor"
    return (
        f"its input has one scale per channel ({_numbers(operand.form.scale)}), which are no whole multiples of each "
        "other; use per-tensor activation quantisation"
    )


def _numbers(numbers: Array) -> str:
    flat = np.unique(np.asarray(numbers))
    return ", ".join(f"{number:.6g}" for number in flat[:3]) + (", …" if flat.size > 3 else "")
