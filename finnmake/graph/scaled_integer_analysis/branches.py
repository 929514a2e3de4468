"""Two and more branches: Add, Sub, Concat, whose integers are made to be worth the same; and Mul."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import onnx_ir as ir

from finnmake.errors import ModelError
from finnmake.graph.custom_op import Array, attribute, describe
from finnmake.graph.datatype import AnyDataType, DataType
from finnmake.graph.model_wrapper import get_shape
from finnmake.graph.scaled_integer_analysis.elementwise import elementwise
from finnmake.graph.scaled_integer_analysis.operands import operand_of
from finnmake.graph.scaled_integer_analysis.tensors import (
    EXACT_FLOAT32,
    Analysis,
    BranchProduct,
    BranchSum,
    Concatenation,
    Operand,
    ScaledInteger,
    collapsed,
    is_power_of_two,
)

_LARGEST_FACTOR = 256
_NEARLY_WHOLE = 1e-4
_ROUNDING = 2.0**-22
"""Two scales whose ratio is a ratio of whole numbers but for this are meant to be so: that is what float32 rounds."""


def add(node: ir.Node, result: Analysis) -> None:
    """Add and Sub: of a tensor and a constant, or of two branches.

    Raises:
        ModelError: for branches whose scales have nothing to do with each other.
    """
    found = _two_branches(node, result, "; quantise both with the same scale")
    if found is None:
        return
    base, factors = _common(node, found)
    if node.op_type == "Sub":
        factors[1] = -factors[1]
    ranges = [_range(operand.source, factor) for operand, factor in zip(found, factors, strict=True)]
    low, high = sum(pair[0] for pair in ranges), sum(pair[1] for pair in ranges)
    if max(-low, high) >= EXACT_FLOAT32:
        raise ModelError(
            f"its sums range from {low} to {high}, beyond 24 bits",
            where=describe(node),
            remedy="Share one quantiser between the branches, so that they have the same scale.",
        )
    sign = -1 if node.op_type == "Sub" else 1
    bias = collapsed(found[0].form.bias + sign * found[1].form.bias)
    # Each addend is a multiple of the power of two, and so is the sum.
    shifts = [np.abs(form.form.bias / base) for form in found]
    exact = all(operand.source.exact for operand in found) and is_power_of_two(base)
    exact = exact and all(bool((shift == np.round(shift)).all() and shift.max() < 2**22) for shift in shifts)
    integers = ScaledInteger(
        node.outputs[0],
        DataType.smallest_for_range(low, high),
        low,
        high,
        base,
        bias,
        exact and max(-low, high) < 2**22,
    )
    result.decide(node, BranchSum(tuple(found), tuple(factors)), integers)


def multiply(node: ir.Node, result: Analysis) -> None:
    """Mul: of a tensor and a constant, or of two branches.

    Raises:
        ModelError: for products that are wider than 24 bits.
    """
    found = _two_branches(node, result, "; quantise both")
    if found is None:
        return
    shifts = [np.asarray(operand.form.bias / operand.form.scale) for operand in found]
    offsets = [collapsed(np.rint(shift)) for shift in shifts]
    if any((np.abs(shift - offset) > _NEARLY_WHOLE).any() for shift, offset in zip(shifts, offsets, strict=True)):
        result.reasons[node] = "multiplies a branch by one whose 0 is no whole number of its steps"
        return
    ranges = [
        (operand.source.minimum + int(offset.min()), operand.source.maximum + int(offset.max()))
        for operand, offset in zip(found, offsets, strict=True)
    ]
    ends = [a * b for a in ranges[0] for b in ranges[1]]
    low, high = min(ends), max(ends)
    if max(-low, high) >= EXACT_FLOAT32:
        raise ModelError(
            f"its products range from {low} to {high}, beyond 24 bits",
            where=describe(node),
            remedy="Quantise the branches before it to fewer bits.",
        )
    scale = collapsed(found[0].form.scale * found[1].form.scale)
    exact = all(operand.source.exact and is_power_of_two(operand.form.scale) for operand in found)
    integers = ScaledInteger(node.outputs[0], DataType.smallest_for_range(low, high), low, high, scale, exact=exact)
    result.decide(node, BranchProduct((found[0], found[1]), (offsets[0], offsets[1])), integers)


def _two_branches(node: ir.Node, result: Analysis, remedy: str) -> list[Operand] | None:
    """Both inputs where they are two branches; None where they are not, or with a reason where they cannot be joined.

    A node with one branch, or with one tensor on both sides, is an elementwise op.
    """
    functions = [result.functions[value] for value in node.inputs if value in result.functions]
    if len(functions) < 2 or functions[0].source is functions[1].source:
        elementwise(node, result)
        return None
    operands = [operand_of(node, value, result) for value in node.inputs]
    found = [operand for operand in operands if operand is not None]
    if len(found) < 2:
        result.reasons[node] = f"joins two branches of which one is not quantised{remedy}"
        return None
    shapes = [get_shape(value) or () for value in (*node.inputs, node.outputs[0]) if value is not None]
    if len({len(shape) for shape in shapes}) > 1 or len({shape[0] for shape in shapes}) > 1:
        result.reasons[node] = "changes the shape by broadcasting to another number of dimensions"
        return None
    return found


def concat(node: ir.Node, result: Analysis) -> None:
    """Concat of tensors that are linear in integers; along the channels each keeps its scale."""
    if not any(value in result.functions for value in node.inputs):
        return
    operands = [operand_of(node, value, result) for value in node.inputs]
    found = [operand for operand in operands if operand is not None]
    if len(found) < len(operands):
        result.reasons[node] = "joins branches of which one is not quantised; quantise each of them"
        return
    shapes = [get_shape(value) or () for value in node.inputs if value is not None]
    rank = len(shapes[0])
    exact = all(operand.source.exact for operand in found)
    if int(attribute(node, "axis", 1)) % rank == 1:
        sizes = [shape[1] for shape in shapes]
        scale = _along(sizes, [operand.form.scale for operand in found])
        bias = _along(sizes, [operand.form.bias for operand in found])
        factors = [np.ones((), dtype=np.int64) for _ in found]
    else:
        scale, factors = _common(node, found)
        bias = collapsed(found[0].form.bias)
        if any(not np.array_equal(collapsed(operand.form.bias), bias) for operand in found):
            result.reasons[node] = "joins branches with different biases along an axis that is not the channels"
            return
    ranges = [_range(operand.source, factor) for operand, factor in zip(found, factors, strict=True)]
    low, high = min(pair[0] for pair in ranges), max(pair[1] for pair in ranges)
    datatype = _joint([operand.source.datatype for operand in found], factors, low, high)
    integers = ScaledInteger(node.outputs[0], datatype, int(datatype.min()), int(datatype.max()), scale, bias, exact)
    result.decide(node, Concatenation(tuple(found), tuple(factors)), integers)


def _along(sizes: list[int], numbers: list[Array]) -> Array:
    parts = [np.broadcast_to(number, (size,)) for size, number in zip(sizes, numbers, strict=True)]
    return collapsed(np.concatenate(parts))


def _joint(datatypes: list[AnyDataType], factors: list[Array], low: int, high: int) -> AnyDataType:
    if len({datatype.name for datatype in datatypes}) == 1 and all((factor == 1).all() for factor in factors):
        return datatypes[0]
    return DataType.smallest_for_range(low, high)


def _range(source: ScaledInteger, factor: Array) -> tuple[int, int]:
    ends = [end * int(f) for end in (source.minimum, source.maximum) for f in (factor.min(), factor.max())]
    return min(ends), max(ends)


def _common(node: ir.Node, operands: list[Operand]) -> tuple[Array, list[Array]]:
    """One scale (per channel), and the whole number that each operand's scale is of it.

    Raises:
        ModelError: where there is none.
    """
    scales = np.broadcast_arrays(*(operand.form.scale for operand in operands))
    first = scales[0].ravel()
    bases = np.empty(first.size)
    factors = np.empty((len(scales), first.size), dtype=np.int64)
    for channel in range(first.size):
        ratios = [_ratio(scale.ravel()[channel] / first[channel]) for scale in scales]
        if any(ratio is None for ratio in ratios):
            values = " and ".join(f"{scale.ravel()[channel]:.9g}" for scale in scales)
            raise ModelError(
                f"joins branches whose scales {values} have nothing to do with each other",
                where=describe(node),
                remedy="Share one quantiser between the branches (one QuantIdentity applied to both), or give both the "
                "same scaling.",
            )
        whole = [ratio for ratio in ratios if ratio is not None]
        denominator = np.lcm.reduce([ratio.denominator for ratio in whole])
        bases[channel] = first[channel] / denominator
        factors[:, channel] = [int(ratio * int(denominator)) for ratio in whole]
    return collapsed(bases), [collapsed(row) for row in factors]


def _ratio(ratio: float) -> Fraction | None:
    """The ratio of small whole numbers that two scales have, None where there is none."""
    found = Fraction(float(ratio)).limit_denominator(_LARGEST_FACTOR)
    small = 0 < abs(found.numerator) <= _LARGEST_FACTOR
    return found if small and abs(float(found) / ratio - 1) <= _ROUNDING else None
