"""Scaled-integer analysis: every tensor as a function of integers.

A tensor is f(scale · integer + bias), where the integers have a known range and f is an elementwise expression (often
none). What a node makes of such tensors is decided once, here; the rewrite in ``transformation.streamline`` follows.
After SIRA, arXiv 2508.21493. Ranges come from datatypes, not from weights, so that a retrained model has the same
hardware structure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.errors import ModelError
from finnmake.graph.custom_op import attribute, describe
from finnmake.graph.datatype import AnyDataType, DataType
from finnmake.graph.expression import (
    BINARY,
    ELEMENTWISE,
    SOURCE,
    Affine,
    Constant,
    Expression,
    NotPerChannelError,
    Source,
    Step,
    affine_of,
    channel_constant,
    is_per_tensor,
)
from finnmake.graph.general_ops import GENERAL_DOMAIN, integer_format
from finnmake.graph.model_wrapper import ModelWrapper, get_constant, get_datatype, get_shape
from finnmake.graph.quantisation import quantise
from finnmake.graph.quantiser import Quantiser, quantiser_of
from finnmake.graph.standard_ops import is_standard

Array = NDArray[Any]
_EXACT_FLOAT32 = 2**24
_MOST_THRESHOLDS = 255


@dataclass(frozen=True)
class ScaledInteger:
    """scale · integer + bias, the tensor that an expression starts from.

    Attributes:
        value: the tensor of the analysed model whose integers these are.
        datatype: of the integers.
        minimum: smallest integer that can occur.
        maximum: largest integer that can occur.
        scale: float64, shape () or (C,).
        bias: float64, shape () or (C,).
        exact: the model's float32 tensor is exactly float32(scale · integer + bias).
    """

    value: ir.Value
    datatype: AnyDataType
    minimum: int
    maximum: int
    scale: Array = field(default_factory=lambda: np.asarray(1.0))
    bias: Array = field(default_factory=lambda: np.asarray(0.0))
    exact: bool = True

    @property
    def channels(self) -> int:
        """Size of axis 1, 1 where scale and bias are single numbers."""
        return max(self.scale.size, self.bias.size)


@dataclass(frozen=True)
class IntegerFunction:
    """A tensor that is an elementwise function of integers."""

    source: ScaledInteger
    expression: Expression = SOURCE

    def affine(self) -> Affine | None:
        """As scale · integer + bias, None where the expression is not linear."""
        form = affine_of(self.expression)
        if form is None:
            return None
        return Affine(form.scale * self.source.scale, form.scale * self.source.bias + form.bias)


@dataclass(frozen=True)
class ConstantIntegers:
    """A constant tensor (weights) as scale · integer.

    Attributes:
        integers: int64, the tensor's shape.
        datatype: as its quantiser declares it.
        scale: float64, broadcastable to the tensor, as many dimensions.
    """

    integers: Array = field(repr=False)
    datatype: AnyDataType
    scale: Array


@dataclass(frozen=True)
class Analysis:
    """Result of the analysis.

    Attributes:
        functions: the tensors that are functions of integers.
        constants: quantised constants.
        quantisers: what each quantiser node on a function of integers does.
        reasons: why a node was not understood, where there is something to say.
    """

    functions: dict[ir.Value, IntegerFunction] = field(default_factory=dict)
    constants: dict[ir.Value, ConstantIntegers] = field(default_factory=dict)
    quantisers: dict[ir.Node, Quantiser] = field(default_factory=dict)
    reasons: dict[ir.Node, str] = field(default_factory=dict)


def analyse(model: ModelWrapper) -> Analysis:
    """Analyses a model in one pass.

    Precondition: imported (``import_model``), the nodes are in an order in which they can run.

    Raises:
        ModelError: for a quantiser whose parameters are not constant.
    """
    result = Analysis()
    for value in model.graph.inputs:
        datatype = get_datatype(value)
        if datatype.is_integer():
            integers = ScaledInteger(value, datatype, int(datatype.min()), int(datatype.max()))
            result.functions[value] = IntegerFunction(integers)
    return _propagate(model, result)


def analyse_from(model: ModelWrapper, integers: ScaledInteger) -> Analysis:
    """Analyses what is computed from one integer tensor, whatever made it."""
    result = Analysis()
    result.functions[integers.value] = IntegerFunction(integers)
    return _propagate(model, result)


def _propagate(model: ModelWrapper, result: Analysis) -> Analysis:
    for node in model.graph:
        rule = _rule_of(node)
        if rule is not None:
            rule(node, result)
    return result


def _rule_of(node: ir.Node) -> Callable[[ir.Node, Analysis], None] | None:
    if node.domain == GENERAL_DOMAIN:
        if node.op_type == "XnorPopcountMatMul":
            return _xnor_popcount
        return _quantiser if node.op_type in ("Quant", "BipolarQuant", "MultiThreshold") else None
    if not is_standard(node):
        return None
    if node.op_type in ELEMENTWISE:
        return _elementwise
    return {"MatMul": _matmul, "Reshape": _reshape, "Transpose": _transpose}.get(node.op_type)


def _first(node: ir.Node) -> ir.Value:
    if not node.inputs or node.inputs[0] is None:
        raise ModelError("has no input", where=describe(node))
    return node.inputs[0]


# -- constants ---------------------------------------------------------------------------------------------------------
def _constant_quantiser(node: ir.Node, array: Array, result: Analysis) -> None:
    """A weight's quantiser: the integers are computed now."""
    parameters = [get_constant(value) for value in node.inputs[1:]]
    if any(parameter is None for parameter in parameters):
        raise _not_constant(node)
    numbers = [np.asarray(parameter, dtype=np.float32) for parameter in parameters]
    x = np.asarray(array, dtype=np.float32)
    scale = numbers[0].astype(np.float64)
    if (scale == 0).any():
        raise ModelError(
            "its scale is zero", where=describe(node), remedy="The training diverged: train the model again."
        )
    if node.op_type == "BipolarQuant":
        integers, datatype = np.where(x >= 0, 1, -1).astype(np.int64), DataType["BIPOLAR"]
    elif node.op_type == "Quant":
        form = integer_format(node, numbers[2])
        zero = numbers[1]
        if (zero != np.round(zero)).any() or np.unique(zero).size != 1:
            result.reasons[node] = "its zero point is not one whole number"
            return
        q = quantise(x, numbers[0], zero, form, str(attribute(node, "rounding_mode", "ROUND")))
        shift = int(zero.ravel()[0])
        integers = q.astype(np.int64) - shift
        datatype = form.datatype()
        if shift:
            datatype = DataType.smallest_for_range(form.minimum - shift, form.maximum - shift)
    else:
        return
    scale = (
        scale.reshape((1,) * (x.ndim - scale.ndim) + scale.shape) if scale.size > 1 else scale.reshape((1,) * x.ndim)
    )
    result.constants[node.outputs[0]] = ConstantIntegers(integers, datatype, scale)


def constant_integers(value: ir.Value | None, result: Analysis) -> ConstantIntegers | None:
    """A constant operand as integers: behind a quantiser, or whole numbers as they stand."""
    if value is None:
        return None
    found = result.constants.get(value)
    array = get_constant(value)
    if found is not None or array is None:
        return found
    annotated = get_datatype(value)
    if array.dtype.kind == "f" and (array != np.round(array)).any():
        return None
    integers = array.astype(np.int64)
    datatype = annotated
    if not annotated.is_integer():
        datatype = DataType.smallest_for_range(int(integers.min()), int(integers.max()))
    if not datatype.allowed_array(integers):
        raise ModelError(
            f"has values that {datatype} does not hold", where=f"tensor {value.name}", remedy="Correct its annotation."
        )
    return ConstantIntegers(integers, datatype, np.ones((1,) * array.ndim))


def _not_constant(node: ir.Node) -> ModelError:
    return ModelError(
        "its scale, zero point, bit width or thresholds are not constant",
        where=describe(node),
        remedy="Export the model in evaluation mode, with fixed quantisation parameters.",
    )


# -- rules -------------------------------------------------------------------------------------------------------------
def _quantiser(node: ir.Node, result: Analysis) -> None:
    source = _first(node)
    array = get_constant(source)
    if array is not None:
        _constant_quantiser(node, array, result)
        return
    function = result.functions.get(source)
    if function is None:
        return
    if any(get_constant(value) is None for value in node.inputs[1:]):
        raise _not_constant(node)
    try:
        quantiser = quantiser_of(node, len(get_shape(source) or ()))
    except NotPerChannelError:
        result.reasons[node] = "its parameters have more than one number per channel"
        return
    if quantiser.thresholds > _MOST_THRESHOLDS:
        result.reasons[node] = f"it has {quantiser.thresholds + 1} levels, and a layer gives at most 8 bits"
        return
    if max(-function.source.minimum, function.source.maximum) >= _EXACT_FLOAT32:
        result.reasons[node] = f"its input is {function.source.datatype}, which float32 does not hold"
        return
    result.quantisers[node] = quantiser
    # The range is the datatype's, as hardware sees it, even where narrow quantisation leaves out its lowest value.
    low, high = int(quantiser.datatype.min()), int(quantiser.datatype.max())
    integers = ScaledInteger(node.outputs[0], quantiser.datatype, low, high, quantiser.scale, quantiser.bias)
    result.functions[node.outputs[0]] = IntegerFunction(integers)


def _elementwise(node: ir.Node, result: Analysis) -> None:
    present = [value for value in node.inputs if value is not None]
    functions = [result.functions[value] for value in present if value in result.functions]
    if not functions:
        return
    source = functions[0].source
    if any(function.source is not source for function in functions):
        result.reasons[node] = "joins two branches, for which there is no layer yet"
        return
    rank = len(get_shape(node.outputs[0]) or ())
    operands: list[Source | Constant | Step | None] = []
    for value in node.inputs:
        if value is None:
            operands.append(None)
        elif value in result.functions:
            operands.append(result.functions[value].expression)
        else:
            array = get_constant(value)
            if array is None:
                return
            try:
                whole = node.op_type in BINARY
                operands.append(channel_constant(array, rank) if whole else Constant(array))
            except NotPerChannelError:
                result.reasons[node] = f"its constant of shape {list(array.shape)} differs within a channel"
                return
    if get_shape(node.outputs[0]) != get_shape(source.value):
        result.reasons[node] = "changes the shape by broadcasting"
        return
    result.functions[node.outputs[0]] = IntegerFunction(source, Step(node, tuple(operands)))


def _reshape(node: ir.Node, result: Analysis) -> None:
    function = result.functions.get(_first(node))
    if function is None:
        return
    if function.source.channels != 1 or not is_per_tensor(function.expression):
        result.reasons[node] = "reshapes a tensor whose scale differs between channels; quantise it first"
        return
    moved = replace(function.source, value=node.outputs[0])
    result.functions[node.outputs[0]] = IntegerFunction(moved, function.expression)


def _transpose(node: ir.Node, result: Analysis) -> None:
    found = constant_integers(_first(node), result)
    if found is None or (get_constant(_first(node)) is None and _first(node) not in result.constants):
        result.reasons[node] = "transposes activations, for which there is no layer yet"
        return
    order = list(attribute(node, "perm", range(found.integers.ndim)[::-1]))
    result.constants[node.outputs[0]] = replace(
        found, integers=found.integers.transpose(order), scale=found.scale.transpose(order)
    )


def _xnor_popcount(node: ir.Node, result: Analysis) -> None:
    inner = (get_shape(_first(node)) or (0,))[-1]
    counts = ScaledInteger(node.outputs[0], DataType.smallest_for_range(0, inner), 0, inner)
    result.functions[node.outputs[0]] = IntegerFunction(counts)


def _matmul(node: ir.Node, result: Analysis) -> None:
    function = result.functions.get(_first(node))
    weights = constant_integers(node.inputs[1], result)
    if weights is None:
        constant = node.inputs[1] is not None and get_constant(node.inputs[1]) is not None
        result.reasons[node] = "its weights are not quantised" if constant else "its weights are not constant"
        return
    if function is None:
        result.reasons.setdefault(node, "its input is not quantised")
        return
    form = function.affine()
    if form is None:
        result.reasons[node] = "its input is not quantised: the activation before it needs a quantiser"
        return
    if np.size(form.scale) != 1 or np.size(form.bias) != 1:
        result.reasons[node] = "its input has one scale per channel; use per-tensor activation quantisation"
        return
    if weights.integers.ndim != 2 or weights.scale.shape[0] != 1:
        result.reasons[node] = "its weights have a scale per input; use one scale per output or per tensor"
        return
    result.functions[node.outputs[0]] = IntegerFunction(_accumulator(node, function, form, weights))


def _accumulator(node: ir.Node, function: IntegerFunction, form: Affine, weights: ConstantIntegers) -> ScaledInteger:
    """Integers of a matrix product: their range is that of the datatypes."""
    inner = weights.integers.shape[0]
    source = function.source
    extremes = int(weights.datatype.min()), int(weights.datatype.max())
    products = [a * b for a in (source.minimum, source.maximum) for b in extremes]
    low, high = inner * min(products), inner * max(products)
    if max(-low, high) >= _EXACT_FLOAT32:
        raise ModelError(
            f"its accumulator ranges from {low} to {high}, beyond 24 bits",
            where=describe(node),
            remedy="Use fewer bits for weights or activations, or smaller layers.",
        )
    scale = form.scale * weights.scale.reshape(-1)
    scale = scale.reshape(()) if scale.size == 1 else scale
    bias = np.asarray(form.bias * (weights.integers.sum(axis=0) * weights.scale.reshape(-1)) if form.bias else 0.0)
    # Sums of integers times a power of two are exact in float32; others depend on the order of the additions.
    whole = not form.bias.any() and source.exact and _power_of_two(form.scale) and _power_of_two(weights.scale)
    datatype = DataType.smallest_for_range(low, high)
    return ScaledInteger(node.outputs[0], datatype, low, high, scale, bias, bool(whole))


def _power_of_two(numbers: Array) -> bool:
    return bool((np.frexp(np.abs(numbers))[0] == 0.5).all())
