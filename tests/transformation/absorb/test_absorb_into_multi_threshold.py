"""Mul, Add and signs around MultiThreshold: the same levels for every float32 number, not only for likely ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finnmake.graph.custom_op import attribute
from finnmake.graph.datatype import DataType
from finnmake.graph.model_wrapper import ModelWrapper, get_datatype
from finnmake.transformation import RoundAndClipThresholds
from finnmake.transformation.absorb import (
    AbsorbAddIntoMultiThreshold,
    AbsorbMulIntoMultiThreshold,
    AbsorbSignBiasIntoMultiThreshold,
)
from finnmake.transformation.threshold_search import smallest_reaching
from tests.support.affine_graphs import assert_same, constant_of, op_types, run, shaped
from tests.support.qonnx_models import QONNX_DOMAIN, GraphBuilder

KINDS = {"Add": AbsorbAddIntoMultiThreshold, "Mul": AbsorbMulIntoMultiThreshold}


def model_of(
    op_type: str, constant: Any, thresholds: Any, shape: list[int], datatype: str = "", **attributes: Any
) -> ModelWrapper:
    """x → Mul or Add → MultiThreshold."""
    builder = GraphBuilder(shape)
    x = builder.node(op_type, [builder.input, builder.constant(np.asarray(constant, dtype=np.float32))])
    table = builder.constant(np.asarray(thresholds, dtype=np.float32))
    attributes = {"out_dtype": "UINT4", **attributes}
    x = builder.node("MultiThreshold", [x, table], attributes.pop("domain", QONNX_DOMAIN), **attributes)
    model = shaped(builder.model(x, shape))
    if datatype:
        model.set_tensor_datatype(model.graph.inputs[0], DataType[datatype])
    return model


numbers = st.floats(-1e6, 1e6, width=32)


@settings(max_examples=100, deadline=None)
@given(op_type=st.sampled_from(["Add", "Mul"]), constant=numbers, thresholds=st.lists(numbers, min_size=1, max_size=4))
def test_levels_are_the_same_for_the_neighbours_of_every_threshold(
    op_type: str, constant: float, thresholds: list[float]
) -> None:
    constant = abs(constant) if op_type == "Mul" else constant
    model = model_of(op_type, constant, [sorted(thresholds)], [1, 1])
    after = model.transform(KINDS[op_type]())
    assert op_types(after) == ["MultiThreshold"]
    values = [np.float32(0)]
    for threshold in constant_of(after, "MultiThreshold").ravel():
        if abs(threshold) < np.finfo(np.float32).max:
            values += [threshold, *(np.nextafter(threshold, np.float32(end)) for end in (-np.inf, np.inf))]
    assert_same(model, after, np.array(values).reshape(-1, 1))


@pytest.mark.parametrize("domain", ["finn.custom_op.general", "qonnx.custom_op.general", "onnx.brevitas", "finn"])
@pytest.mark.parametrize("op_type", ["Add", "Mul"])
def test_constants_per_channel_make_thresholds_per_channel(op_type: str, domain: str) -> None:
    constant = np.array([0.5, 1, 4]).reshape(3, 1, 1)
    model = model_of(op_type, constant, [[0.0, 1, 2]], [1, 3, 2, 2], "INT4", domain=domain)
    after = model.transform(KINDS[op_type]())
    assert op_types(after) == ["MultiThreshold"]
    assert constant_of(after, "MultiThreshold").shape == (3, 3)
    expected = [0.0, 1, 2] - constant[:, 0] if op_type == "Add" else [0.0, 1, 2] / constant[:, 0]
    np.testing.assert_allclose(constant_of(after, "MultiThreshold"), expected, rtol=1e-6)
    assert_same(model, after, np.random.default_rng(0).integers(-8, 8, (20, 3, 2, 2)))


def test_channels_last() -> None:
    model = model_of("Mul", [0.5, 1, 4], [[0, 1, 2], [0, 2, 3], [1, 2, 5]], [1, 2, 2, 3], data_layout="NHWC")
    after = model.transform(AbsorbMulIntoMultiThreshold())
    assert op_types(after) == ["MultiThreshold"]
    assert_same(model, after, np.random.default_rng(0).normal(0, 3, (50, 2, 2, 3)))
    across = model_of("Mul", np.array([0.5, 1, 4]).reshape(3, 1, 1), [[0, 1]], [1, 3, 2, 2], data_layout="NHWC")
    assert op_types(across.transform(AbsorbMulIntoMultiThreshold())) == ["Mul", "MultiThreshold"]


@pytest.mark.parametrize("constant", [-1.0, [[1.0, -0.5]]])
def test_negative_factors_stay(constant: Any) -> None:
    model = model_of("Mul", constant, [[0, 1]], [1, 2])
    assert op_types(model.transform(AbsorbMulIntoMultiThreshold())) == ["Mul", "MultiThreshold"]


@pytest.mark.parametrize("datatype", ["INT4", ""])
def test_zero_factor_gives_one_level(datatype: str) -> None:
    model = model_of("Mul", [[0.0, 2.0]], [[-1.0, 0.0, 1.0]], [1, 2], datatype)
    after = model.transform(AbsorbMulIntoMultiThreshold())
    assert op_types(after) == ["MultiThreshold"]
    values = np.random.default_rng(0).integers(-8, 8, (40, 2))
    assert_same(model, after, values)
    assert set(run(after, values)[0][:, 0]) == {2.0}
    if datatype:
        assert constant_of(after, "MultiThreshold")[0].tolist() == [-8, -8, 8]


def test_thresholds_of_integers_are_written_as_the_formula_gives_them() -> None:
    model = model_of("Add", 3.0, [[5.0, 6.0]], [1, 2], "INT4")
    after = model.transform(AbsorbAddIntoMultiThreshold())
    assert constant_of(after, "MultiThreshold").tolist() == [[2.0, 3.0]]
    assert get_datatype(next(iter(after.graph.initializers.values()))).is_integer()
    halves = model_of("Mul", 2.0, [[5.0, 6.0]], [1, 2], "INT4").transform(AbsorbMulIntoMultiThreshold())
    assert constant_of(halves, "MultiThreshold").tolist() == [[2.5, 3.0]]
    assert not get_datatype(next(iter(halves.graph.initializers.values()))).is_integer()
    rounded = halves.transform(RoundAndClipThresholds())
    assert constant_of(rounded, "MultiThreshold").tolist() == [[3.0, 3.0]]
    assert_same(halves, rounded, np.arange(-8, 8).reshape(8, 2))


def test_other_users_and_shared_thresholds_keep_theirs() -> None:
    builder = GraphBuilder([1, 2])
    table = builder.constant(np.array([[0.0, 1.0]]))
    added = builder.node("Add", [builder.input, builder.constant(0.5)])
    one = builder.node("MultiThreshold", [added, table], QONNX_DOMAIN, out_dtype="UINT2")
    other = builder.node("MultiThreshold", [builder.input, table], QONNX_DOMAIN, out_dtype="UINT2")
    model = shaped(builder.model(builder.node("Add", [one, other]), [1, 2]))
    after = model.transform(AbsorbAddIntoMultiThreshold())
    assert op_types(after) == ["MultiThreshold", "MultiThreshold", "Add"]
    assert_same(model, after, np.random.default_rng(0).normal(0, 1, (90, 2)))
    model.graph.outputs.append(model.nodes[0].outputs[0])
    kept = model.transform(AbsorbAddIntoMultiThreshold())
    assert op_types(kept) == op_types(model)
    assert_same(model, kept, np.random.default_rng(0).normal(0, 1, (90, 2)))


def test_a_chain_of_both_is_absorbed_in_its_order() -> None:
    builder = GraphBuilder([1, 2])
    x = builder.input
    for op_type, constant in (("Add", 0.3), ("Add", -0.1), ("Mul", 0.7), ("Mul", 1.1)):
        x = builder.node(op_type, [x, builder.constant(constant)])
    table = builder.constant(np.linspace(-1, 1, 15, dtype=np.float32)[None])
    x = builder.node("MultiThreshold", [x, table], QONNX_DOMAIN, out_dtype="UINT4", out_scale=0.5, out_bias=-1.5)
    model = shaped(builder.model(x, [1, 2]))
    half = model.transform(AbsorbMulIntoMultiThreshold())
    after = half.transform(AbsorbAddIntoMultiThreshold())
    assert [op_types(each) for each in (half, after)] == [["Add", "Add", "MultiThreshold"], ["MultiThreshold"]]
    assert_same(model, after, np.random.default_rng(0).normal(0, 1, (5000, 2)))


@pytest.mark.parametrize(
    ("steps", "bias", "added", "scale", "datatype"),
    [
        (15, 0.0, -8.0, 1.0, "INT4"),
        (1, 0.0, -1.0, 2.0, "BIPOLAR"),
        (3, -2.0, 2.0, 1.0, "UINT2"),
        (2, 0.0, -1.0, 1.0, "INT2"),
        (3, 0.0, 0.5, 1.0, "FLOAT32"),
    ],
)
def test_bias_behind_thresholds(steps: int, bias: float, added: float, scale: float, datatype: str) -> None:
    builder = GraphBuilder([1, 2])
    table = builder.constant(np.arange(steps, dtype=np.float32)[None])
    x = builder.node(
        "MultiThreshold", [builder.input, table], QONNX_DOMAIN, out_dtype="UINT4", out_bias=bias, out_scale=scale
    )
    x = builder.node("Add", [x, builder.constant(np.array([[added]]))])
    model = shaped(builder.model(x, [1, 2]))
    after = model.transform(AbsorbSignBiasIntoMultiThreshold())
    assert op_types(after) == ["MultiThreshold"]
    assert attribute(after.nodes[0], "out_dtype") == datatype
    assert get_datatype(after.graph.outputs[0]).name == datatype
    assert_same(model, after, np.random.default_rng(0).integers(-2, 17, (40, 2)))


def test_search_finds_the_first_float_or_the_largest() -> None:
    levels = np.array([0, 1.5, -2, 3e38, np.float32(1e-45)], dtype=np.float32)
    assert np.array_equal(smallest_reaching(lambda x: x, levels), levels)
    assert smallest_reaching(lambda x: x * np.float32(0), levels[1:2]) == np.finfo(np.float32).max
