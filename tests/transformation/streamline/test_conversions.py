"""BatchNormToAffine, ConvertSubToAdd, ConvertDivToMul, ConvertSignToThres, CollapseRepeatedAdd, CollapseRepeatedMul."""

from __future__ import annotations

import numpy as np
import pytest

from finnmake.graph.datatype import DataType
from finnmake.graph.model_wrapper import ModelWrapper, get_datatype, set_datatype
from finnmake.transformation import (
    BatchNormToAffine,
    CollapseRepeatedAdd,
    CollapseRepeatedMul,
    ConvertDivToMul,
    ConvertSignToThres,
    ConvertSubToAdd,
)
from tests.support.affine_graphs import assert_annotations_hold, assert_same, constant_of, op_types, run, shaped
from tests.support.qonnx_models import GraphBuilder

RANDOM = np.random.default_rng(0)


def batch_norm_model(shape: list[int], around: bool = False, **changed: np.ndarray) -> ModelWrapper:
    builder = GraphBuilder(shape, opset=13)
    x, channels = builder.input, shape[1]
    if around:
        x = builder.node("Unsqueeze", [x, builder.constant(np.array([2]))])
    parameters = {
        "gamma": RANDOM.normal(0, 1, channels),
        "beta": RANDOM.normal(0, 1, channels),
        "mean": RANDOM.normal(0, 1, channels),
        "variance": RANDOM.uniform(0.1, 2, channels),
    }
    x = builder.batch_norm(x, **{**parameters, **changed})
    if around:
        x = builder.node("Squeeze", [x, builder.constant(np.array([2]))])
    return shaped(builder.model(x, shape))


@pytest.mark.parametrize("shape", [[1, 3], [1, 3, 5], [1, 3, 4, 2], [1, 1, 2, 2]])
def test_batch_norm_of_any_rank(shape: list[int]) -> None:
    before = batch_norm_model(shape)
    after = before.transform(BatchNormToAffine())
    assert op_types(after) == ["Mul", "Add"]
    assert_same(before, after, RANDOM.normal(0, 3, (7, *shape[1:])), exact=False)


def test_batch_norm_loses_the_reshapes_around_it() -> None:
    before = batch_norm_model([1, 4], around=True)
    after = before.transform(BatchNormToAffine())
    assert op_types(after) == ["Mul", "Add"]
    assert_same(before, after, RANDOM.normal(0, 3, (7, 4)), exact=False)


def test_batch_norm_keeps_a_reshape_that_others_use() -> None:
    before = batch_norm_model([1, 4], around=True)
    before.graph.outputs.append(before.nodes[0].outputs[0])
    after = before.transform(BatchNormToAffine())
    assert sorted(op_types(after)) == ["Add", "Mul", "Squeeze", "Unsqueeze"]
    assert_same(before, after, RANDOM.normal(0, 3, (7, 4)), exact=False)


def test_batch_norm_without_a_finite_factor_stays() -> None:
    before = batch_norm_model([1, 2], variance=np.array([-1.0, 1.0]))
    assert op_types(before.transform(BatchNormToAffine())) == ["BatchNormalization"]


def test_sub_of_a_constant_is_add_and_keeps_integers_annotated() -> None:
    builder = GraphBuilder([1, 4])
    model = shaped(builder.model(builder.node("Sub", [builder.input, builder.constant(np.float32(3))]), [1, 4]))
    set_datatype(next(iter(model.graph.initializers.values())), DataType["UINT2"])
    after = model.transform(ConvertSubToAdd())
    assert op_types(after) == ["Add"]
    assert constant_of(after, "Add").tolist() == -3
    assert [get_datatype(value).name for value in after.graph.initializers.values()] == ["INT3"]


def test_sub_from_a_constant_is_mul_and_add() -> None:
    builder = GraphBuilder([1, 4])
    constant = builder.constant(np.array([0.1, 2, 3, 4]))
    model = shaped(builder.model(builder.node("Sub", [constant, builder.input]), [1, 4]))
    after = model.transform(ConvertSubToAdd())
    assert op_types(after) == ["Mul", "Add"]
    assert_same(model, after, RANDOM.normal(0, 3, (7, 4)))


def test_sub_of_two_tensors_stays() -> None:
    builder = GraphBuilder([1, 4])
    x = builder.node("Sub", [builder.node("Relu", [builder.input]), builder.input])
    assert op_types(shaped(builder.model(x, [1, 4])).transform(ConvertSubToAdd())) == ["Relu", "Sub"]


@pytest.mark.parametrize(("divisor", "exact"), [(0.25, True), (-8.0, True), (3.0, False)])
def test_div_by_a_constant_is_mul(divisor: float, exact: bool) -> None:
    builder = GraphBuilder([1, 4])
    model = shaped(builder.model(builder.node("Div", [builder.input, builder.constant(np.float32(divisor))]), [1, 4]))
    after = model.transform(ConvertDivToMul())
    assert op_types(after) == ["Mul"]
    assert_same(model, after, RANDOM.normal(0, 3, (50, 4)), exact=exact)


@pytest.mark.parametrize("divisor", [0.0, 1e-40])
def test_div_whose_factor_is_not_finite_stays(divisor: float) -> None:
    builder = GraphBuilder([1, 4])
    x = builder.node("Div", [builder.input, builder.constant(np.array([1, 1, 1, divisor], dtype=np.float32))])
    assert op_types(shaped(builder.model(x, [1, 4])).transform(ConvertDivToMul())) == ["Div"]


def test_div_of_a_constant_stays() -> None:
    builder = GraphBuilder([1, 4])
    x = builder.node("Div", [builder.constant(np.float32(2)), builder.input])
    assert op_types(shaped(builder.model(x, [1, 4])).transform(ConvertDivToMul())) == ["Div"]


def test_sign_is_bipolar() -> None:
    builder = GraphBuilder([1, 4])
    model = shaped(builder.model(builder.node("Sign", [builder.input]), [1, 4]))
    after = model.transform(ConvertSignToThres())
    assert op_types(after) == ["MultiThreshold"]
    assert get_datatype(after.graph.outputs[0]).name == "BIPOLAR"
    assert_same(model, after, np.array([[-3, -1e-30, 1e-30, 7]]))
    assert run(after, np.zeros((1, 4)))[0].tolist() == [[1, 1, 1, 1]]


@pytest.mark.parametrize(
    ("op_type", "kind", "expected"), [("Add", CollapseRepeatedAdd, 7.5), ("Mul", CollapseRepeatedMul, -24.0)]
)
def test_repeated_ops_are_one(
    op_type: str, kind: type[CollapseRepeatedAdd] | type[CollapseRepeatedMul], expected: float
) -> None:
    builder = GraphBuilder([1, 4])
    x = builder.input
    constants = [3.0, 0.5, np.array([4.0, 4, 4, 4]).reshape(1, 4)]
    for constant in constants if op_type == "Add" else [3.0, -2.0, 4.0]:
        x = builder.node(op_type, [x, builder.constant(constant)])
    model = shaped(builder.model(x, [1, 4]))
    after = model.transform(kind())
    assert op_types(after) == [op_type]
    assert (constant_of(after, op_type) == expected).all()
    assert_same(model, after, RANDOM.integers(-9, 9, (7, 4)))


def test_a_tensor_with_another_user_is_not_collapsed() -> None:
    builder = GraphBuilder([1, 4])
    first = builder.node("Mul", [builder.input, builder.constant(2.0)])
    x = builder.node("Mul", [first, builder.constant(4.0)])
    model = shaped(builder.model(x, [1, 4]))
    model.graph.outputs.append(model.nodes[0].outputs[0])
    after = model.transform(CollapseRepeatedMul())
    assert op_types(after) == ["Mul", "Mul"]
    assert_same(model, after, RANDOM.integers(-9, 9, (7, 4)))


def test_a_constant_that_others_use_keeps_its_value() -> None:
    builder = GraphBuilder([1, 4])
    two = builder.constant(2.0)
    x = builder.node("Mul", [builder.node("Mul", [builder.input, two]), two])
    x = builder.node("Mul", [builder.node("Relu", [x]), two])
    model = shaped(builder.model(x, [1, 4]))
    after = model.transform(CollapseRepeatedMul())
    assert op_types(after) == ["Mul", "Relu", "Mul"]
    assert_same(model, after, RANDOM.integers(-9, 9, (7, 4)))


@pytest.mark.parametrize("constants", [(1e30, 1e30), (1e-30, 1e-30)])
def test_factors_beyond_float32_stay_apart(constants: tuple[float, float]) -> None:
    builder = GraphBuilder([1, 4])
    x = builder.input
    for constant in constants:
        x = builder.node("Mul", [x, builder.constant(constant)])
    assert op_types(shaped(builder.model(x, [1, 4])).transform(CollapseRepeatedMul())) == ["Mul", "Mul"]


def test_integer_constants_stay_integers_when_collapsed() -> None:
    builder = GraphBuilder([1, 4])
    x = builder.node("Add", [builder.node("Add", [builder.input, builder.constant(3.0)]), builder.constant(2.0)])
    model = shaped(builder.model(x, [1, 4]))
    for value in model.graph.initializers.values():
        set_datatype(value, DataType["UINT2"])
    after = model.transform(CollapseRepeatedAdd())
    assert [get_datatype(value).name for value in after.graph.initializers.values()] == ["UINT3"]
    assert_annotations_hold(after, RANDOM.integers(-9, 9, (3, 4)))
