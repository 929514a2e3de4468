"""QuantizeLinear and DequantizeLinear, as onnxruntime executes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finnmake.frontend import import_model
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.runtime.execute import execute_onnx
from finnmake.transformation.streamline.streamline import Streamline
from tests.support.qonnx_models import GraphBuilder
from tests.support.streamlining import integer_ops, streamlined


def pair(
    builder: GraphBuilder, x: str, scale: Any, zero: Any, kind: type = np.int8, clip: tuple[int, int] | None = None
) -> str:
    """QuantizeLinear, perhaps a Clip, DequantizeLinear."""
    parameters = [builder.constant(np.float32(scale)), builder.constant(np.asarray(zero, dtype=kind))]
    x = builder.node("QuantizeLinear", [x, *parameters], axis=1)
    if clip is not None:
        limits = [builder.constant(np.array(limit, dtype=kind)) for limit in clip]
        x = builder.node("Clip", [x, *limits])
    return builder.node("DequantizeLinear", [x, *parameters], axis=1)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    kind=st.sampled_from([np.int8, np.uint8]),
    per_channel=st.booleans(),
    clip=st.booleans(),
    activation=st.sampled_from(["Relu", "none"]),
)
def test_levels_are_those_of_onnxruntime(seed: int, kind: type, per_channel: bool, clip: bool, activation: str) -> None:
    random = np.random.default_rng(seed)
    builder = GraphBuilder([1, 6])
    low, high = int(np.iinfo(kind).min), int(np.iinfo(kind).max)
    weights = builder.constant(random.integers(-128, 128, (6, 3)).astype(np.int8))
    scales = (2.0 ** random.integers(-6, 0, 3)).astype(np.float32)
    zeros = builder.constant(random.integers(-3, 4, 3).astype(np.int8))
    weights = builder.node("DequantizeLinear", [weights, builder.constant(scales), zeros], axis=1)
    x = builder.node("MatMul", [builder.input, weights])
    x = builder.node(activation, [x]) if activation != "none" else x
    size = 3 if per_channel else ()
    limits = tuple(sorted(int(n) for n in random.integers(low, high + 1, 2))) if clip else None
    if limits is not None and limits[0] == limits[1]:
        limits = (low, high)
    x = pair(builder, x, random.uniform(0.05, 9, size), random.integers(low, high + 1, size), kind, limits)  # type: ignore[arg-type]
    model = import_model(builder.model(x, [1, 3]), input_datatype="INT8", input_scale=1)
    result = model.transform(Streamline())
    assert integer_ops(result) == ["MatMul", "MultiThreshold"]
    values = random.integers(-128, 128, (300, 6))
    expected = execute_onnx(model, {"global_in": values})["global_out"]
    context = execute_onnx(result, {"global_in": values}, return_full_exec_context=True)
    # (integer - zero point) is worth the scale; both graphs multiply once, but the subtraction may be an addition.
    assert np.array_equal(context["global_out"], expected)
    assert result.get_tensor_datatype("MultiThreshold_0_out0").allowed_array(context["MultiThreshold_0_out0"])


def test_clip_between_them_narrows_the_integers() -> None:
    builder = GraphBuilder([1, 4])
    x = pair(builder, builder.input, 0.5, 0, np.int8, (-7, 7))
    weights = builder.quant(builder.constant(np.eye(4)[:, :2] - np.eye(4)[:, 1:3]), 1.0, 2)
    x = pair(builder, builder.node("MatMul", [x, weights]), 1.0, 3, np.uint8)
    result = streamlined(builder, x, [1, 2], "INT8")
    assert result.get_tensor_datatype("MultiThreshold_0_out0").name == "INT4"
    assert integer_ops(result) == ["MultiThreshold", "MatMul", "MultiThreshold"]


def test_pair_behind_a_pair_is_one_node() -> None:
    builder = GraphBuilder([1, 4])
    weights = builder.quant(builder.constant(np.random.default_rng(0).normal(0, 2, (4, 3))), 1.0, 3)
    x = pair(builder, builder.node("MatMul", [builder.input, weights]), 2.0, 5)
    x = pair(builder, builder.node("Relu", [x]), 2.0, 5)
    assert integer_ops(streamlined(builder, x, [1, 3], "INT8")) == ["MatMul", "MultiThreshold"]


def test_bias_of_32_bits_is_a_constant() -> None:
    builder = GraphBuilder([1, 4])
    weights = builder.quant(builder.constant(np.random.default_rng(0).normal(0, 2, (4, 3))), 1.0, 3)
    bias = builder.constant(np.array([3, -70000, 12], dtype=np.int32))
    scales = [
        builder.constant(np.array([0.5, 2**-12, 0.25], dtype=np.float32)),
        builder.constant(np.zeros(3, dtype=np.int32)),
    ]
    bias = builder.node("DequantizeLinear", [bias, *scales], axis=0)
    x = builder.node("Add", [builder.node("MatMul", [builder.input, weights]), bias])
    assert integer_ops(streamlined(builder, pair(builder, x, 1.0, 0), [1, 3])) == ["MatMul", "MultiThreshold"]


@pytest.mark.parametrize("kind", ["Quant", "QuantizeLinear", "MultiThreshold"])
def test_float_input_behind_a_quantiser_keeps_it(kind: str) -> None:
    """Without the import, which would make the input integers."""
    builder = GraphBuilder([1, 5])
    x = builder.node("Sub", [builder.node("Mul", [builder.input, builder.constant(1.7)]), builder.constant(0.3)])
    if kind == "Quant":
        x = builder.quant(x, np.array([[0.125, 0.25, 0.375, 0.5, 0.125]]), 3, zero=1.0, signed=0)
    elif kind == "QuantizeLinear":
        x = pair(builder, x, 2**-6, 7)
    else:
        thresholds = builder.constant(np.sort(np.random.default_rng(0).normal(0, 1, (5, 3)), axis=1))
        x = builder.node("MultiThreshold", [x, thresholds], "qonnx.custom_op.general", out_dtype="UINT2")
    weights = builder.quant(builder.constant(np.random.default_rng(0).normal(0, 2, (5, 3))), 1.0, 3)
    proto = builder.model(builder.quant(builder.node("MatMul", [x, weights]), 0.5, 4), [1, 3])
    model = ModelWrapper(proto)
    result = model.transform(Streamline())
    assert integer_ops(result) == ["MultiThreshold", "MatMul", "MultiThreshold"]
    values = np.random.default_rng(1).normal(0, 1, (200, 5)).astype(np.float32)
    values[0] = [np.inf, -np.inf, 0.0, -0.0, 1e30]
    expected = execute_onnx(model, {builder.input: values})
    assert np.array_equal(next(iter(expected.values())), execute_onnx(result, {"global_in": values})["global_out"])


def test_model_as_a_users_script_has_it() -> None:
    """Gemm, batch as a number, integers annotated: nothing but ONNX and an annotation."""
    random = np.random.default_rng(0)
    builder = GraphBuilder([1, 6])
    weights = builder.constant(random.integers(-4, 4, (3, 6)).astype(np.float32))
    x = builder.node("Gemm", [builder.input, weights, builder.constant(random.normal(0, 1, 3))], transB=1, alpha=0.5)
    proto = builder.model(builder.quant(builder.node("Relu", [x]), 1.0, 3, signed=0), [1, 3])
    annotation = proto.graph.quantization_annotation.add(tensor_name=builder.input)
    annotation.quant_parameter_tensor_names.add(key="finn_datatype", value="INT4")
    model = ModelWrapper(proto)
    result = model.transform(Streamline())
    assert [node.op_type for node in result.nodes] == ["MatMul", "MultiThreshold"]
    values = random.integers(-8, 8, (50, 6))
    expected = next(iter(execute_onnx(model, {builder.input: values}).values()))
    assert np.array_equal(execute_onnx(result, {"global_in": values})["global_out"], expected)
