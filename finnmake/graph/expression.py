"""Elementwise functions of one tensor, per channel: what lies between an integer tensor and the next quantiser.

An expression is a DAG of standard elementwise ops over one source, with constants that are one number or one number
per channel. It is evaluated by onnxruntime itself on arrays (points, channels), so that it rounds as the model does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.graph.custom_op import attribute
from finnmake.graph.standard_ops import StandardRun

Array = NDArray[Any]

UNARY = frozenset(
    """Abs Celu Ceil Clip Elu Erf Exp Floor Gelu HardSigmoid HardSwish LeakyRelu Log Mish Neg Reciprocal Relu Round Selu
    Sigmoid Sign Softplus Softsign Sqrt Swish Tanh ThresholdedRelu""".split()  # noqa: SIM905
)
BINARY = frozenset(["Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "PRelu"])
ELEMENTWISE = UNARY | BINARY | {"BatchNormalization"}
"""Ops whose output element depends on the input element at the same place, and constants of its channel."""


class Source:
    """The tensor that an expression is a function of."""


SOURCE = Source()


@dataclass(frozen=True, eq=False)
class Constant:
    """A number, or one number per channel: shape () or (C,)."""

    array: Array = field(repr=False)


@dataclass(frozen=True, eq=False)
class Step:
    """One op applied to operands.

    Attributes:
        node: the op type and the attributes are those of this node of the model.
        operands: None for an optional input that is not given.
    """

    node: ir.Node
    operands: tuple[Source | Constant | Step | None, ...]


Expression = Source | Step


class NotPerChannelError(Exception):
    """A constant has more than one number per channel."""


def channel_constant(array: Array, rank: int) -> Constant:
    """A constant that is broadcast against a tensor, as one number or one per channel (axis 1).

    Args:
        array: the constant.
        rank: of the tensor it is broadcast against.

    Raises:
        NotPerChannelError: where it varies along another axis.
    """
    if array.size == 1:
        return Constant(array.reshape(()))
    shape = (1,) * (rank - array.ndim) + array.shape
    if len(shape) < 2 or len(shape) != rank or any(size != 1 for axis, size in enumerate(shape) if axis != 1):
        raise NotPerChannelError
    return Constant(array.reshape(-1))


def is_per_tensor(expression: Expression) -> bool:
    """True where no constant differs between channels."""
    return all(
        operand.array.ndim == 0
        for step in steps_of(expression)
        for operand in step.operands
        if isinstance(operand, Constant)
    )


def steps_of(expression: Expression) -> list[Step]:
    """All steps, operands before the steps that use them."""
    found: dict[Step, None] = {}
    stack: list[tuple[Expression | Constant | None, bool]] = [(expression, False)]
    while stack:
        item, ready = stack.pop()
        if not isinstance(item, Step) or item in found:
            continue
        if ready:
            found[item] = None
        else:
            stack.append((item, True))
            stack += [(operand, False) for operand in reversed(item.operands)]
    return list(found)


def has_channels(expression: Expression) -> bool:
    """True where a constant has one number per channel."""
    return not is_per_tensor(expression)


def with_channels(expression: Expression, change: Callable[[Array], Array]) -> Expression:
    """The same expression over channels that are elsewhere: every constant per channel is changed."""
    made: dict[Expression, Expression] = {SOURCE: SOURCE}
    for step in steps_of(expression):
        operands: list[Source | Constant | Step | None] = []
        for operand in step.operands:
            if isinstance(operand, Constant):
                operands.append(Constant(change(operand.array)) if operand.array.ndim else operand)
            else:
                operands.append(None if operand is None else made[operand])
        made[step] = Step(step.node, tuple(operands))
    return made[expression]


def direction_of(expression: Expression) -> Array | None:
    """+1 where the expression never falls as its source rises, -1 where it never rises: shape () or (C,).

    None where nothing is known. Only ops whose float32 result is monotone to the last bit count: those that round the
    exact result once or twice, and comparisons.
    """
    known: dict[Expression, Array | None] = {SOURCE: np.asarray(1)}
    for step in steps_of(expression):
        known[step] = _direction(step, known)
    return known[expression]


def is_rising(expression: Expression) -> bool:
    """True where the expression is known never to fall as its source rises."""
    direction = direction_of(expression)
    return direction is not None and bool((direction > 0).all())


_NEVER_FALLS = frozenset("Ceil Clip Floor HardSigmoid LeakyRelu Max Min PRelu Relu Round Sign".split())  # noqa: SIM905


def _direction(step: Step, known: Mapping[Expression, Array | None]) -> Array | None:
    kind = step.node.op_type
    moving = [operand for operand in step.operands if isinstance(operand, Source | Step)]
    constants = [operand.array for operand in step.operands if isinstance(operand, Constant)]
    if len(moving) != 1 or known[moving[0]] is None:
        return None
    before = np.asarray(known[moving[0]])
    first = step.operands[0] is moving[0]
    if not first and kind not in ("Add", "Sub", "Mul", "Max", "Min"):
        return None
    if kind in _NEVER_FALLS:
        slopes = [*(constants if kind == "PRelu" else ()), attribute(step.node, "alpha", 0.0)]
        return before if all((np.asarray(slope) >= 0).all() for slope in slopes) else None
    if kind == "Neg":
        return -before
    if kind in ("Add", "Sub"):
        return before if first or kind == "Add" else -before
    if kind in ("Mul", "Div"):
        return before * np.where(constants[0] < 0, -1, 1)
    if kind == "BatchNormalization":
        return before * np.where(constants[0] < 0, -1, 1)
    return None


class Evaluator:
    """An expression made ready to be evaluated again and again.

    Args:
        expression: the function.
        opset: version of the standard ops.
    """

    def __init__(self, expression: Expression, opset: int) -> None:
        self._run: StandardRun | None = None
        if isinstance(expression, Step):
            source = ir.Value(name="source")
            nodes: dict[Step, ir.Node] = {}
            for step in steps_of(expression):
                nodes[step] = ir.Node(
                    "",
                    step.node.op_type,
                    [_operand(o, source, nodes) for o in step.operands],
                    step.node.attributes.values(),
                )
            self._run = StandardRun(list(nodes.values()), [nodes[expression].outputs[0]], opset)

    def __call__(self, points: Array) -> Array:
        """Values at float32 points of shape (points, channels), channels ≥ those of the constants."""
        if self._run is None:
            return points
        return self._run([points])[0]


def _operand(
    operand: Source | Constant | Step | None, source: ir.Value, nodes: Mapping[Step, ir.Node]
) -> ir.Value | None:
    if operand is None:
        return None
    if isinstance(operand, Source):
        return source
    if isinstance(operand, Constant):
        return ir.Value(name="constant", const_value=ir.Tensor(operand.array))
    return nodes[operand].outputs[0]


@dataclass(frozen=True)
class Affine:
    """scale · x + bias, in float64; each of shape () or (C,)."""

    scale: Array
    bias: Array


def affine_of(expression: Expression, *, between_limits: bool = False) -> Affine | None:
    """The expression as scale · source + bias, None where it is not of this form.

    Args:
        expression: the function.
        between_limits: only where no Relu or Clip limits the value.
    """
    forms: dict[Expression, Affine | None] = {SOURCE: Affine(np.float64(1), np.float64(0))}  # type: ignore[arg-type]
    for step in steps_of(expression):
        first = step.operands[0]
        if between_limits and step.node.op_type in ("Relu", "Clip") and isinstance(first, Source | Step):
            forms[step] = forms[first]
        else:
            forms[step] = _affine_step(step, forms)
    return forms[expression]


def _affine_step(step: Step, forms: Mapping[Expression, Affine | None]) -> Affine | None:
    kind = step.node.op_type
    operands = [
        operand.array.astype(np.float64)
        if isinstance(operand, Constant)
        else None
        if operand is None
        else forms[operand]
        for operand in step.operands
    ]
    first, second = (*operands, None, None)[:2]
    if kind == "Neg" and isinstance(first, Affine):
        return Affine(-first.scale, -first.bias)
    if kind == "BatchNormalization" and isinstance(first, Affine):
        gamma, beta, mean, variance = (np.asarray(operand) for operand in operands[1:5])
        factor = gamma / np.sqrt(variance + attribute(step.node, "epsilon", 1e-5))
        return Affine(first.scale * factor, (first.bias - mean) * factor + beta)
    if kind in ("Add", "Sub") and len(operands) == 2:
        sign = 1 if kind == "Add" else -1
        left = first if isinstance(first, Affine) else Affine(np.float64(0), first)  # type: ignore[arg-type]
        right = second if isinstance(second, Affine) else Affine(np.float64(0), second)  # type: ignore[arg-type]
        if isinstance(first, Affine) or isinstance(second, Affine):
            return Affine(left.scale + sign * right.scale, left.bias + sign * right.bias)
    if kind == "Mul" and isinstance(second, Affine) and not isinstance(first, Affine):
        first, second = second, first
    if kind in ("Mul", "Div") and isinstance(first, Affine) and isinstance(second, np.ndarray | np.generic):
        return (
            Affine(first.scale * second, first.bias * second)
            if kind == "Mul"
            else Affine(first.scale / second, first.bias / second)
        )
    return None
