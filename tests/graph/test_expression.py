"""What is said of an expression without evaluating it is true of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finnmake.graph.expression import (
    SOURCE,
    Constant,
    Evaluator,
    Expression,
    Step,
    affine_of,
    direction_of,
    is_per_tensor,
    with_channels,
)

OPSET = 18
CHANNELS = 3


def step(op_type: str, *operands: Any, **attributes: Any) -> Step:
    made = [
        Constant(np.asarray(o, dtype=np.float32)) if not isinstance(o, type(SOURCE) | Step) else o for o in operands
    ]
    return Step(ir.node(op_type, [], attributes), tuple(made))


def random_expression(seed: int) -> Expression:
    """A chain of ops whose direction is known."""
    random = np.random.default_rng(seed)
    expression: Expression = SOURCE
    for _ in range(int(random.integers(1, 5))):
        number = random.normal(0, 2, CHANNELS if random.random() < 0.5 else ())
        kind = str(
            random.choice(
                ["Add", "Sub", "Mul", "Div", "Relu", "Neg", "Clip", "BatchNormalization", "LeakyRelu", "Max", "from"]
            )
        )
        if kind == "from":
            expression = step("Sub", number, expression)
        elif kind in ("Relu", "Neg"):
            expression = step(kind, expression)
        elif kind == "LeakyRelu":
            expression = step(kind, expression, alpha=0.1)
        elif kind == "Clip":
            expression = step(kind, expression, -1.5, 2.5)
        elif kind == "BatchNormalization":
            parameters = [random.normal(0, 1, CHANNELS) for _ in range(3)]
            expression = step(kind, expression, *parameters, random.uniform(0.1, 2, CHANNELS), epsilon=1e-5)
        else:
            expression = step(kind, expression, number)
    return expression


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6))
def test_direction_holds_for_every_neighbour(seed: int) -> None:
    expression = random_expression(seed)
    direction = direction_of(expression)
    assert direction is not None
    points = np.sort(np.random.default_rng(seed).normal(0, 4, 3000).astype(np.float32))
    # Neighbouring floats too: rounding must not turn the direction.
    points = np.sort(np.concatenate([points, np.nextafter(points, np.float32(np.inf))]))
    values = Evaluator(expression, OPSET)(np.repeat(points[:, None], CHANNELS, axis=1))
    assert (np.diff(values, axis=0) * direction >= 0).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_linear_form_is_the_expression(seed: int) -> None:
    expression = random_expression(seed)
    form = affine_of(expression)
    points = np.repeat(np.random.default_rng(seed).normal(0, 4, (100, 1)), CHANNELS, axis=1).astype(np.float32)
    if form is not None:
        values = Evaluator(expression, OPSET)(points)
        np.testing.assert_allclose(points * form.scale + form.bias, values, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "expression",
    [
        step("Abs", SOURCE),
        step("Div", 2.0, SOURCE),
        step("LeakyRelu", SOURCE, alpha=-0.1),
        step("Sigmoid", SOURCE),  # its last bit is not monotone
        step("Mul", step("Relu", SOURCE), step("Neg", SOURCE)),
        step("Pow", SOURCE, 2.0),
    ],
)
def test_direction_of_other_ops_is_not_known(expression: Expression) -> None:
    assert direction_of(expression) is None


def test_channels_are_moved_in_every_constant() -> None:
    moved = with_channels(step("Add", step("Mul", SOURCE, [1, 2]), 3.0), lambda numbers: np.repeat(numbers, 2))
    points = np.ones((1, 4), dtype=np.float32)
    assert Evaluator(moved, OPSET)(points).tolist() == [[4, 4, 5, 5]]
    assert not is_per_tensor(moved)
