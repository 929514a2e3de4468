"""The model with exact sums: float32 rounding is taken out of sums, and nothing else is changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from finnmake.errors import VerificationError
from finnmake.frontend import import_model
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.graph.scaled_integer_analysis import Analysis, Product, analyse
from finnmake.runtime import exact_sums
from finnmake.runtime.exact_sums import run_with_exact_sums
from finnmake.runtime.execute import execute_onnx
from tests.support.qonnx_models import GraphBuilder

SHAPE = (1, 4, 6, 6)


def network(scale: float) -> ModelWrapper:
    """A convolution with padding, a sum of branches, averages of windows and of the image."""
    random = np.random.default_rng(0)
    builder = GraphBuilder(SHAPE)
    x = builder.quant(builder.input, scale, 4)
    weights = builder.quant(builder.constant(random.normal(0, 1, (4, 4, 3, 3))), scale, 3)
    bias = builder.constant(random.integers(-3, 4, 4).astype(np.float32) * np.float32(scale))
    y = builder.quant(builder.node("Conv", [x, weights, bias], pads=[1] * 4), scale, 4)
    x = builder.quant(builder.node("Add", [x, y]), scale, 5)
    x = builder.node("AveragePool", [x], kernel_shape=[2, 2], strides=[2, 2])
    x = builder.node("GlobalAveragePool", [builder.quant(x, scale, 5)])
    return import_model(builder.model(x, [1, 4, 1, 1]), input_datatype="INT4", input_scale=1)


def frames(count: int = 50) -> Any:
    return np.random.default_rng(1).integers(-8, 8, (count, int(np.prod(SHAPE))))


def test_nothing_changes_where_float32_does_not_round() -> None:
    model = network(0.5)
    values = frames()
    expected = execute_onnx(model, {"global_in": values.reshape(-1, *SHAPE[1:])})["global_out"]
    # 9 elements are averaged: the division rounds, and is the same here and there to the last bits.
    np.testing.assert_allclose(run_with_exact_sums(model, values), expected, rtol=1e-6, atol=1e-7)


def test_sums_do_not_depend_on_the_order_of_the_additions() -> None:
    """Sums whose terms cancel are exactly 0, where float32 leaves a rest."""
    builder = GraphBuilder([1, 300])
    signs = np.ones((300, 1))
    signs[150:] = -1
    weights = builder.quant(builder.constant(signs * 0.1), 0.1, 2)
    model = import_model(
        builder.model(builder.node("MatMul", [builder.quant(builder.input, 0.1, 8), weights]), [1, 1]),
        input_datatype="INT8",
        input_scale=0.1,
    )
    half = np.random.default_rng(0).integers(-128, 128, (40, 150))
    values = np.concatenate([half, half[:, ::-1]], axis=1)
    assert not run_with_exact_sums(model, values).any()
    assert execute_onnx(model, {"global_in": values})["global_out"].any()


@pytest.mark.parametrize("what", ["weights", "scale", "operand"])
def test_sums_of_something_else_are_no_rounding(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(model: ModelWrapper) -> Analysis:
        result = analyse(model)
        node = next(node for node, operation in result.operations.items() if isinstance(operation, Product))
        operation = result.operations[node]
        assert isinstance(operation, Product)
        if what == "weights":
            weights = replace(operation.weights, integers=-operation.weights.integers)
            result.operations[node] = replace(operation, weights=weights)
        elif what == "operand":
            form = operation.operand.form
            form = replace(form, scale=form.scale * 1.001)
            result.operations[node] = replace(operation, operand=replace(operation.operand, form=form))
        else:
            function = result.functions[node.outputs[0]]
            source = replace(function.source, scale=function.source.scale * 1.1)
            result.functions[node.outputs[0]] = replace(function, source=source)
        return result

    monkeypatch.setattr(exact_sums, "analyse", wrong)
    with pytest.raises(VerificationError, match="integers"):
        run_with_exact_sums(network(0.3), frames(5))
