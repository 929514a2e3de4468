"""Streamlining gives the same levels as the chain it absorbs, on every integer; refusals name node and reason."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finnmake.errors import ModelError
from finnmake.frontend import import_model
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.runtime.execute import execute_onnx
from finnmake.transformation.streamline import threshold_extraction
from finnmake.transformation.streamline.streamline import TIES_KEY, Streamline
from tests.support.networks import Mlp
from tests.support.qonnx_models import GraphBuilder, mnist, shared_file

ACTIVATIONS = ("Relu", "Sigmoid", "Tanh", "Clip", "LeakyRelu", "Elu", "HardSigmoid", "Softplus", "Neg", "none")
_CLIP = (-1.5, 2.5)


def add_activation(builder: GraphBuilder, x: str, activation: str) -> str:
    if activation == "none":
        return x
    if activation == "Clip":
        return builder.node("Clip", [x, builder.constant(_CLIP[0]), builder.constant(_CLIP[1])])
    return builder.node(activation, [x])


def chain_model(
    seed: int, activation: str, bits: int, signed: bool, falling: bool, weight_bits: int = 3
) -> ModelWrapper:
    """One layer: integers → MatMul → Mul, BatchNormalization, activation → Quant."""
    random = np.random.default_rng(seed)
    inputs, outputs = int(random.integers(2, 9)), int(random.integers(1, 7))
    builder = GraphBuilder([1, inputs])
    weights = builder.quant(builder.constant(random.normal(0, 2, (inputs, outputs))), 1.0, weight_bits, narrow=1)
    x = builder.node("MatMul", [builder.input, weights])
    x = builder.node("Mul", [x, builder.constant(float(random.uniform(0.01, 0.3)))])
    gamma = random.uniform(0.2, 2, outputs) * (random.choice([-1, 1], outputs) if falling else 1)
    x = builder.batch_norm(
        x, gamma, random.normal(0, 1, outputs), random.normal(0, 1, outputs), random.uniform(0.1, 2, outputs)
    )
    x = add_activation(builder, x, activation)
    narrow = int(bits > 1 and random.integers(0, 2))
    x = builder.quant(x, float(random.choice([0.25, 0.1, 0.37])), bits, signed=int(signed), narrow=narrow)
    return import_model(builder.model(x, [1, outputs]), input_datatype="INT4", input_scale=1)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    activation=st.sampled_from(ACTIVATIONS),
    bits=st.integers(1, 5),
    signed=st.booleans(),
    falling=st.booleans(),
    whole_range=st.booleans(),
)
def test_random_chains_are_absorbed_exactly(
    seed: int, activation: str, bits: int, signed: bool, falling: bool, whole_range: bool
) -> None:
    model = chain_model(seed, activation, bits, signed, falling)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threshold_extraction, "_SMALL_RANGE", 1 << 18 if whole_range else 0)
        if not whole_range:
            patch.setattr(threshold_extraction, "_WHOLE_RANGE", 0)
            patch.setattr(threshold_extraction, "_GRID", 7)
        result = model.transform(Streamline())
    assert [node.op_type for node in result.nodes][:2] == ["MatMul", "MultiThreshold"]
    shape = model.get_tensor_shape("global_in")
    assert shape is not None
    integers = np.random.default_rng(seed).integers(-8, 8, (400, shape[1]))
    expected = execute_onnx(model, {"global_in": integers})["global_out"]
    got = execute_onnx(result, {"global_in": integers})["global_out"]
    assert np.array_equal(got, expected)
    context = execute_onnx(result, {"global_in": integers}, return_full_exec_context=True)
    for name, values in context.items():
        datatype = result.get_tensor_datatype(name)
        assert datatype.allowed_array(values), (name, datatype)


def reference_thresholds(levels: list[int], low: int, steps: int) -> list[int]:
    """Thresholds of one rising channel, by counting."""
    return [low + sum(level < step for level in levels) for step in range(1, steps + 1)]


def test_thresholds_are_those_of_the_definition() -> None:
    builder = GraphBuilder([1, 1])
    x = builder.node("Mul", [builder.input, builder.constant(np.float32(0.3))])
    x = builder.node("Add", [x, builder.constant(np.float32(0.05))])
    model = import_model(builder.model(builder.quant(x, 0.5, 3), [1, 1]), input_datatype="INT5", input_scale=1)
    node = model.transform(Streamline()).get_nodes_by_op_type("MultiThreshold")[0]
    thresholds = node.inputs[1].const_value.numpy()  # type: ignore[union-attr]
    levels = []
    for integer in range(-16, 16):
        value = np.float32(np.float32(integer) * np.float32(0.3) + np.float32(0.05)) / np.float32(0.5)
        levels.append(int(np.round(min(max(float(value), -4), 3))) + 4)
    assert thresholds.tolist() == [reference_thresholds(levels, -16, 7)]


def test_structure_does_not_depend_on_weights() -> None:
    structures = []
    for seed in (1, 2):
        result = import_model(Mlp(seed=seed).model()).transform(Streamline())
        structures.append(
            [
                (
                    node.name,
                    [result.get_tensor_datatype(v).name for v in (*node.inputs, *node.outputs) if v is not None],
                )
                for node in result.nodes
            ]
        )
    assert structures[0] == structures[1]


def test_model_is_not_changed_and_result_is_repeatable(tmp_path: Any) -> None:
    model = import_model(Mlp().model())
    model.save(tmp_path / "before" / "graph.onnx")
    model.transform(Streamline()).save(tmp_path / "a" / "graph.onnx")
    model.transform(Streamline()).save(tmp_path / "b" / "graph.onnx")
    model.save(tmp_path / "after" / "graph.onnx")
    for one, other in (("before", "after"), ("a", "b")):
        assert (tmp_path / one / "graph.onnx").read_bytes() == (tmp_path / other / "graph.onnx").read_bytes()


def test_falling_channel_widens_weights_that_have_no_negative() -> None:
    builder = GraphBuilder([1, 2])
    weights = builder.quant(builder.constant(np.array([[-4.0, 1.0], [3.0, 2.0]])), 1.0, 3)
    x = builder.node("Mul", [builder.node("MatMul", [builder.input, weights]), builder.constant(np.array([-1.0, 1.0]))])
    model = import_model(builder.model(builder.quant(x, 2.0, 3), [1, 2]), input_datatype="UINT2", input_scale=1)
    result = model.transform(Streamline())
    matmul = result.get_nodes_by_op_type("MatMul")[0]
    assert matmul.inputs[1] is not None
    assert result.get_tensor_datatype(matmul.inputs[1]).name == "INT4"
    integers = np.array([[a, b] for a in range(4) for b in range(4)])
    expected = execute_onnx(model, {"global_in": integers})["global_out"]
    assert np.array_equal(execute_onnx(result, {"global_in": integers})["global_out"], expected)


def test_falling_input_without_weights_is_negated() -> None:
    builder = GraphBuilder([1, 4])
    model = import_model(
        builder.model(builder.quant(builder.node("Neg", [builder.input])), [1, 4]), input_datatype="INT4", input_scale=1
    )
    result = model.transform(Streamline())
    assert [node.op_type for node in result.nodes] == ["Mul", "MultiThreshold"]
    assert result.get_tensor_datatype("Mul_0_out0").name == "INT5"
    integers = np.arange(-8, 8).reshape(4, 4)
    expected = execute_onnx(model, {"global_in": integers})["global_out"]
    assert np.array_equal(execute_onnx(result, {"global_in": integers})["global_out"], expected)


def test_quantiser_with_one_value_is_refused() -> None:
    builder = GraphBuilder([1, 4])
    output = builder.quant(builder.node("Relu", [builder.input]), 1.0, 1, signed=0, narrow=1)
    model = import_model(builder.model(output, [1, 4]), input_datatype="INT4", input_scale=1)
    with pytest.raises(ModelError, match="one value only"):
        model.transform(Streamline())


@pytest.mark.parametrize("op_type", ["Abs", "HardSwish"])
def test_activation_that_is_not_monotone_is_refused(op_type: str) -> None:
    builder = GraphBuilder([1, 4], opset=14)
    x = builder.node("MatMul", [builder.input, builder.quant(builder.constant(np.eye(4)), 1.0, 2)])
    output = builder.quant(builder.node(op_type, [x]), 0.125, 5)
    model = import_model(builder.model(output, [1, 4]), input_datatype="INT4", input_scale=1)
    with pytest.raises(ModelError, match=rf"Quant_1.*{op_type}.*rises and falls in channel 0") as caught:
        model.transform(Streamline())
    assert "monotone" in caught.value.remedy


def test_ties_of_inexact_sums_are_counted() -> None:
    builder = GraphBuilder([1, 64])
    weights = builder.quant(builder.constant(np.random.default_rng(0).normal(0, 1, (64, 16))), 0.1, 4)
    x = builder.node("MatMul", [builder.input, weights])
    output = builder.quant(x, 0.3, 4)  # an accumulator is worth 0.05: those of 0.15, 0.45, … lie at a boundary
    model = import_model(builder.model(output, [1, 16]), input_datatype="INT8", input_scale=0.5)
    ties = json.loads(model.transform(Streamline()).get_metadata_prop(TIES_KEY) or "")
    assert ties["MultiThreshold_0"] > 0
    exact = import_model(Mlp().model()).transform(Streamline())
    assert json.loads(exact.get_metadata_prop(TIES_KEY) or "") == {}


@pytest.mark.parametrize("name", ["tfc_w1a1", "tfc_w2a2"])
def test_shared_mnist_networks(name: str) -> None:
    model = import_model(shared_file(f"models/{name}.qonnx.onnx"))
    result = model.transform(Streamline())
    pixels, _ = mnist(500)
    expected = execute_onnx(model, {"global_in": pixels})["global_out"]
    assert np.array_equal(execute_onnx(result, {"global_in": pixels})["global_out"], expected)
    first = result.get_nodes_by_op_type("MatMul")[0]
    datatypes = [result.get_tensor_datatype(v).name for v in (*first.inputs, first.outputs[0]) if v is not None]
    wanted = {"tfc_w1a1": ["BIPOLAR", "BIPOLAR", "INT11"], "tfc_w2a2": ["TERNARY", "TERNARY", "INT11"]}
    assert datatypes == wanted[name]
