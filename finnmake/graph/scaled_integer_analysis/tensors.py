"""What the analysis says of tensors, and what it has decided about nodes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.errors import ModelError
from finnmake.graph.custom_op import describe
from finnmake.graph.datatype import AnyDataType
from finnmake.graph.expression import SOURCE, Affine, Expression, affine_of
from finnmake.graph.quantiser import Quantiser

Array = NDArray[Any]

EXACT_FLOAT32 = 2**24
"""Integers up to this size are what they are in float32."""


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
        return Affine(np.asarray(form.scale * self.source.scale), np.asarray(form.scale * self.source.bias + form.bias))


@dataclass(frozen=True)
class ConstantIntegers:
    """A constant tensor (weights) as scale · integer.

    Attributes:
        integers: whole numbers in float32, the tensor's shape; int64 where they are larger than float32 holds.
        datatype: as its quantiser declares it.
        scale: float64, broadcastable to the tensor, as many dimensions.
    """

    integers: Array = field(repr=False)
    datatype: AnyDataType
    scale: Array

    def values(self) -> Array:
        """The float32 tensor itself, as its quantiser computes it."""
        return np.asarray(self.integers.astype(np.float32) * self.scale.astype(np.float32))


@dataclass(frozen=True)
class Operand:
    """A tensor that a sum takes: float = form.scale · integer + form.bias."""

    source: ScaledInteger
    form: Affine


@dataclass(frozen=True)
class Quantisation:
    """The node gives integers: of a function of integers, or of floats where there is none.

    Attributes:
        function: its input.
        quantiser: what it does.
        fixed_point: by a multiplication and an addition, as it has too many levels for thresholds.
    """

    function: IntegerFunction | None
    quantiser: Quantiser
    fixed_point: bool = False


@dataclass(frozen=True)
class Product:
    """MatMul or Conv: sums of products of integers.

    Attributes:
        operand: the activations.
        weights: in the shape that the op takes; a group of channels other than all or one is widened to all.
        group: 1, or the number of channels of a depthwise convolution.
        zero: the integer that stands for 0.0, with which a convolution pads.
        pads: of a convolution, as ONNX gives them: all begins, then all ends.
    """

    operand: Operand
    weights: ConstantIntegers
    group: int = 1
    zero: int = 0
    pads: tuple[int, ...] = ()


@dataclass(frozen=True)
class WindowSum:
    """An average: the sum of ``count`` integers.

    Attributes:
        operand: the activations.
        count: elements of a window.
        axes: where whole axes are reduced; else the windows are those of the node's pooling.
        pads: of the pooling; the padding is 0.
    """

    operand: Operand
    count: int
    axes: tuple[int, ...] = ()
    pads: tuple[int, ...] = ()


@dataclass(frozen=True)
class BranchSum:
    """Add or Sub: the sum of the operands' integers, each times its factor, shape () or (C,)."""

    operands: tuple[Operand, ...]
    factors: tuple[Array, ...]


@dataclass(frozen=True)
class BranchProduct:
    """Mul: the product of the operands' integers, to each of which its offset, shape () or (C,), is added before."""

    operands: tuple[Operand, Operand]
    offsets: tuple[Array, Array]


@dataclass(frozen=True)
class Concatenation:
    """Concat of the operands' integers, each times its factor."""

    operands: tuple[Operand, ...]
    factors: tuple[Array, ...]


@dataclass(frozen=True)
class Movement:
    """The node takes the integers as it took the floats: a change of shape or order, MaxPool.

    Attributes:
        source: its first input.
        signs: +1 or -1 per channel, by which the integers are multiplied before; None where all are +1.
        fill: the integer that a Pad fills in.
    """

    source: ScaledInteger
    signs: Array | None = None
    fill: int | None = None


@dataclass(frozen=True)
class Gathering:
    """Gather of rows of a constant table (an embedding) by the integers of the node's second input."""

    indices: ScaledInteger
    table: ConstantIntegers


Operation = Quantisation | Product | WindowSum | BranchSum | BranchProduct | Concatenation | Movement | Gathering


@dataclass(frozen=True)
class Analysis:
    """Result of the analysis.

    Attributes:
        functions: the tensors that are functions of integers.
        constants: quantised constants.
        operations: what the nodes that make new integers do.
        reasons: why a node was not understood, where there is something to say.
    """

    functions: dict[ir.Value, IntegerFunction] = field(default_factory=dict)
    constants: dict[ir.Value, ConstantIntegers] = field(default_factory=dict)
    operations: dict[ir.Node, Operation] = field(default_factory=dict)
    reasons: dict[ir.Node, str] = field(default_factory=dict)

    def decide(self, node: ir.Node, operation: Operation, integers: ScaledInteger) -> None:
        """Records what a node does, and the integers that come of it."""
        self.operations[node] = operation
        self.functions[integers.value] = IntegerFunction(integers)


def first_input(node: ir.Node) -> ir.Value:
    """A node's first input.

    Raises:
        ModelError: where it has none.
    """
    if not node.inputs or node.inputs[0] is None:
        raise ModelError("has no input", where=describe(node))
    return node.inputs[0]


def collapsed(numbers: Array) -> Array:
    """One number where all are equal."""
    numbers = np.asarray(numbers)
    return numbers.ravel()[0].reshape(()) if numbers.size == 1 or (numbers == numbers.flat[0]).all() else numbers


def is_power_of_two(numbers: Array) -> bool:
    """True where every number is a power of two or the negative of one."""
    return bool((np.frexp(np.abs(numbers))[0] == 0.5).all())


def sums_are_exact(operand: Operand, scale: Array, bias: Array, reach: int) -> bool:
    """True where float32 adds the scaled integers without rounding: all are multiples of a power of two.

    Args:
        operand: what is added.
        scale: of the sums.
        bias: of the sums.
        reach: largest magnitude of the integer sums.
    """
    if not (operand.source.exact and is_power_of_two(operand.form.scale) and is_power_of_two(scale)):
        return False
    shifts = np.abs(operand.form.bias / operand.form.scale), np.abs(bias / scale)
    return all(bool((shift == np.round(shift)).all()) for shift in shifts) and reach + shifts[1].max() < EXACT_FLOAT32
