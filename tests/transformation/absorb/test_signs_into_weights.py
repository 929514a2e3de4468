"""FactorOutMulSignMagnitude, Absorb1BitMulIntoMatMul, Absorb1BitMulIntoConv."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from finnmake.graph.datatype import DataType
from finnmake.graph.model_wrapper import ModelWrapper, get_datatype, set_datatype
from finnmake.transformation.absorb import Absorb1BitMulIntoConv, Absorb1BitMulIntoMatMul, FactorOutMulSignMagnitude
from tests.support.affine_graphs import assert_annotations_hold, assert_same, constant_of, op_types, shaped
from tests.support.qonnx_models import GraphBuilder

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("constant", [-0.3, [0.5, -2.0, 0.0, -1.0], [[-1.0, -0.0, 3.0, 1.0]]])
def test_signs_and_magnitudes_are_apart(constant: Any) -> None:
    builder = GraphBuilder([1, 4])
    x = builder.node("Mul", [builder.input, builder.constant(np.asarray(constant, dtype=np.float32))])
    model = shaped(builder.model(x, [1, 4]))
    model.set_tensor_datatype(model.graph.inputs[0], DataType["UINT3"])
    after = model.transform(FactorOutMulSignMagnitude())
    assert op_types(after) == ["Mul", "Mul"]
    first, second = (after.nodes[i].inputs[1] for i in range(2))
    assert first is not None
    assert get_datatype(first).name == "BIPOLAR"
    assert (constant_of(after, "Mul", 1) >= 0).all()
    assert second is not first
    values = RANDOM.integers(0, 8, (9, 4))
    assert_same(model, after, values)
    assert_annotations_hold(after, values)


def test_signs_alone_are_annotated_only() -> None:
    builder = GraphBuilder([1, 4])
    x = builder.node("Mul", [builder.input, builder.constant(np.array([1.0, -1, 1, -1]))])
    after = shaped(builder.model(x, [1, 4])).transform(FactorOutMulSignMagnitude())
    assert op_types(after) == ["Mul"]
    assert [get_datatype(value).name for value in after.graph.initializers.values()] == ["BIPOLAR"]


def test_factors_that_differ_along_two_axes_stay() -> None:
    builder = GraphBuilder([1, 2, 2])
    x = builder.node("Mul", [builder.input, builder.constant(np.array([[1.0, -2], [3, 4]]))])
    assert op_types(shaped(builder.model(x, [1, 2, 2])).transform(FactorOutMulSignMagnitude())) == ["Mul"]


def product_model(op_type: str, weights: np.ndarray, factor: Any, datatype: str, bias: bool = False) -> ModelWrapper:
    builder = GraphBuilder([1, 4] if op_type == "MatMul" else [1, 2, 3, 3])
    inputs = [builder.input, builder.constant(weights.astype(np.float32))]
    if bias:
        inputs.append(builder.constant(np.arange(weights.shape[0], dtype=np.float32)))
    x = builder.node(op_type, inputs)
    x = builder.node("Mul", [x, builder.constant(np.asarray(factor, dtype=np.float32))])
    shape = [1, weights.shape[1]] if op_type == "MatMul" else [1, weights.shape[0], 2, 2]
    model = shaped(builder.model(x, shape))
    value = model.nodes[0].inputs[1]
    assert value is not None
    set_datatype(value, DataType[datatype])
    set_datatype(model.graph.inputs[0], DataType["UINT2"])
    return model


@pytest.mark.parametrize("factor", [-1.0, [1.0, -1, -1], [[0.0, 1, 0]]])
def test_signs_go_into_the_matrix(factor: Any) -> None:
    model = product_model("MatMul", RANDOM.integers(-1, 2, (4, 3)), factor, "INT2")
    after = model.transform(Absorb1BitMulIntoMatMul())
    assert op_types(after) == ["MatMul"]
    weights = after.nodes[0].inputs[1]
    assert weights is not None
    assert get_datatype(weights).name == "INT2"
    assert get_datatype(after.graph.outputs[0]).is_integer()
    values = RANDOM.integers(0, 4, (9, 4))
    assert_same(model, after, values)
    assert_annotations_hold(after, values)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("factor", [-1.0, np.array([1.0, -1, -1]).reshape(3, 1, 1)])
def test_signs_go_into_the_kernels_and_the_bias(factor: Any, bias: bool) -> None:
    model = product_model("Conv", RANDOM.integers(-1, 2, (3, 2, 2, 2)), factor, "TERNARY", bias)
    after = model.transform(Absorb1BitMulIntoConv())
    assert op_types(after) == ["Conv"]
    values = RANDOM.integers(0, 4, (9, 2, 3, 3))
    assert_same(model, after, values)
    assert_annotations_hold(after, values)


def test_products_that_the_weights_type_does_not_hold_stay() -> None:
    model = product_model("MatMul", np.array([[-2, 1]] * 4), -1.0, "INT2")
    assert op_types(model.transform(Absorb1BitMulIntoMatMul())) == ["MatMul", "Mul"]


@pytest.mark.parametrize("factor", [2.0, [1.0, -1, 0]])
def test_factors_of_more_bits_stay(factor: Any) -> None:
    model = product_model("MatMul", RANDOM.integers(-1, 2, (4, 3)), factor, "INT4")
    assert op_types(model.transform(Absorb1BitMulIntoMatMul())) == ["MatMul", "Mul"]


def test_weights_that_others_use_keep_their_signs() -> None:
    builder = GraphBuilder([1, 3])
    weights = builder.constant(RANDOM.integers(-1, 2, (3, 3)).astype(np.float32))
    x = builder.node("Mul", [builder.node("MatMul", [builder.input, weights]), builder.constant(-1.0)])
    model = shaped(builder.model(builder.node("MatMul", [x, weights]), [1, 3]))
    after = model.transform(Absorb1BitMulIntoMatMul())
    assert op_types(after) == ["MatMul", "MatMul"]
    assert_same(model, after, RANDOM.integers(0, 4, (9, 3)))
