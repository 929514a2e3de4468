"""ONNX QDQ as onnxruntime writes it, QCDQ as Brevitas writes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from finnmake.frontend import import_model
from finnmake.frontend.input_quantisation import read_input_quantisation
from finnmake.graph.model_wrapper import ModelWrapper, get_constant
from finnmake.runtime.execute import execute_onnx
from finnmake.transformation.streamline import Streamline
from tests.support.qdq_models import float_cnn, float_mlp, quantised
from tests.support.qonnx_models import GraphBuilder, shared_file


def run(path: Path, floats: NDArray[np.float32]) -> NDArray[np.float32]:
    """The model in onnxruntime, as it is written."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options)
    name = session.get_inputs()[0].name
    rows = [session.run(None, {name: row[None].astype(np.float32)})[0] for row in floats]
    return np.concatenate(rows)


def assert_same_to_a_step(got: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    """Equal; where the order of a float sum decides a tie, one step of the output's scale beside it."""
    step = np.diff(np.unique(expected)).min()
    assert (got == expected).mean() > 0.99
    assert np.abs(got - expected).max() <= step * 1.001


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("network", [float_mlp, float_cnn])
def test_static_quantisation(
    network: Callable[[], onnx.ModelProto], per_channel: bool, signed: bool, tmp_path: Path
) -> None:
    path = quantised(network(), tmp_path, signed=signed, per_channel=per_channel)
    model = import_model(path)
    quantisation = read_input_quantisation(model)
    assert quantisation.datatype == ("INT8" if signed else "UINT8")
    assert quantisation.zero_point != 0
    assert model.get_tensor_datatype("global_in").name == quantisation.datatype
    shape = model.get_tensor_shape("global_in") or ()
    floats = np.random.default_rng(2).normal(0.3, 1.2, (200, *shape[1:])).astype(np.float32)
    integers = quantisation.to_integers(floats)
    # What the model itself makes of the floats: the integers that its quantiser gives, and their floats.
    original = execute_onnx(ModelWrapper(path), {"input": floats}, return_full_exec_context=True)
    assert np.array_equal(original["input_QuantizeLinear_Output"], integers)
    floats_again = execute_onnx(model, {"global_in": integers}, return_full_exec_context=True)["Mul_0_out0"]
    assert np.array_equal(original["input_DequantizeLinear_Output"], floats_again)
    assert np.array_equal(quantisation.to_floats(integers), floats_again)
    assert_same_to_a_step(execute_onnx(model, {"global_in": integers})["global_out"], run(path, floats))


def test_weights_stay_integers_behind_their_scale(tmp_path: Path) -> None:
    model = import_model(quantised(float_mlp(), tmp_path, signed=True, per_channel=True))
    arrays = [get_constant(node.inputs[0]) for node in model.get_nodes_by_op_type("DequantizeLinear")]
    kinds = [array.dtype for array in arrays if array is not None]
    assert kinds.count(np.dtype(np.int8)) == 2
    assert kinds.count(np.dtype(np.int32)) == 2


def test_shared_qdq_network() -> None:
    path = shared_file("models/tfc_w8a8.qdq.onnx")
    golden = np.load(shared_file("models/golden/tfc_w8a8.npz"))
    model = import_model(path)
    quantisation = read_input_quantisation(model)
    got = execute_onnx(model, {"global_in": quantisation.to_integers(golden["x"])})["global_out"]
    assert_same_to_a_step(got, golden["golden"])
    assert int((got.argmax(axis=1) == golden["y"]).sum()) == 957


def chain(
    zero_point: int, *, clip: tuple[int, int] | None, kind: type[np.generic], scale: float = 0.1
) -> onnx.ModelProto:
    """QuantizeLinear, perhaps Clip, DequantizeLinear on the input, as Brevitas' QCDQ export has them."""
    builder = GraphBuilder([1, 6])
    parameters = [builder.constant(np.float32(scale)), builder.constant(kind(zero_point))]
    x = builder.node("QuantizeLinear", [builder.input, *parameters])
    if clip is not None:
        x = builder.node("Clip", [x, builder.constant(kind(clip[0])), builder.constant(kind(clip[1]))])
    x = builder.node("DequantizeLinear", [x, *parameters])
    return builder.model(builder.quant(builder.node("Relu", [x]), 0.25, 4), [1, 6])


@pytest.mark.parametrize(
    ("kind", "zero_point", "clip", "datatype"),
    [
        (np.int8, 0, (-8, 7), "INT4"),
        (np.int8, 0, (-7, 7), "INT4"),
        (np.uint8, 0, (0, 15), "UINT4"),
        (np.uint8, 3, (0, 15), "UINT4"),
        (np.uint8, 127, None, "UINT8"),
        (np.int8, -5, None, "INT8"),
    ],
)
def test_clip_narrows_the_input(
    kind: type[np.generic], zero_point: int, clip: tuple[int, int] | None, datatype: str
) -> None:
    source = chain(zero_point, clip=clip, kind=kind)
    model = import_model(source)
    quantisation = read_input_quantisation(model)
    assert (quantisation.datatype, quantisation.zero_point) == (datatype, zero_point)
    if clip is not None:
        assert (quantisation.minimum, quantisation.maximum) == clip
    assert [node.op_type for node in model.nodes][: 2 if zero_point else 1] == (
        ["Sub", "Mul"] if zero_point else ["Mul"]
    )
    # Ties, both ends and beyond.
    steps = np.arange(-600, 600, dtype=np.float32) * np.float32(0.05)
    floats = np.resize(steps, (200, 6))
    original = execute_onnx(ModelWrapper(source), {"input": floats}, return_full_exec_context=True)
    integers = quantisation.to_integers(floats)
    (quantised_input,) = [node.input[0] for node in source.graph.node if node.op_type == "DequantizeLinear"]
    assert np.array_equal(original[quantised_input], integers)
    got = execute_onnx(model, {"global_in": integers})["global_out"]
    assert np.array_equal(got, next(iter(execute_onnx(ModelWrapper(source), {"input": floats}).values())))


def test_two_quantisers_on_the_input_that_agree() -> None:
    builder = GraphBuilder([1, 6])
    branches = []
    for _ in range(2):
        parameters = [builder.constant(np.float32(0.1)), builder.constant(np.uint8(7))]
        x = builder.node("QuantizeLinear", [builder.input, *parameters])
        branches += [builder.node("DequantizeLinear", [x, *parameters]) for _ in range(2)]
    total = builder.node("Sum", branches)
    source = builder.model(total, [1, 6])
    model = import_model(source)
    assert not model.get_nodes_by_op_type("QuantizeLinear")
    integers = np.random.default_rng(0).integers(0, 256, (9, 6))
    floats = read_input_quantisation(model).to_floats(integers)
    expected = next(iter(execute_onnx(ModelWrapper(source), {"input": floats}).values()))
    assert np.array_equal(execute_onnx(model, {"global_in": integers})["global_out"], expected)


def test_quantiser_with_an_odd_zero_point_rounds_as_the_model_does() -> None:
    builder = GraphBuilder([1, 6])
    source = builder.model(builder.quant(builder.input, 0.5, 4, signed=0, zero=3.0), [1, 6])
    model = import_model(source)
    quantisation = read_input_quantisation(model)
    assert (quantisation.zero_point, quantisation.shift_after_rounding) == (3, False)
    floats = np.resize(np.arange(-40, 40, dtype=np.float32) / 8, (20, 6))
    got = execute_onnx(model, {"global_in": quantisation.to_integers(floats)})["global_out"]
    assert np.array_equal(got, next(iter(execute_onnx(ModelWrapper(source), {"input": floats}).values())))


def test_weights_of_four_bits() -> None:
    weights = np.random.default_rng(0).integers(-8, 8, (6, 4))
    builder = GraphBuilder([1, 6], opset=21)
    packed = helper.make_tensor("w", TensorProto.INT4, weights.shape, weights.ravel().tolist())
    builder.initialisers.append(packed)
    w = builder.node("DequantizeLinear", ["w", builder.constant(np.float32(0.5))])
    x = builder.quant(builder.input, 0.25, 4)
    source = builder.model(builder.node("MatMul", [x, w]), [1, 4])
    model = import_model(source)
    integers = np.random.default_rng(1).integers(-8, 8, (5, 6))
    got = execute_onnx(model, {"global_in": integers})["global_out"]
    assert np.array_equal(got, (integers * 0.25) @ (weights * 0.5))
    assert numpy_helper.to_array(packed).shape == (6, 4)


def brevitas_like(weights_quantised: bool) -> onnx.ModelProto:
    """A convolutional network as Brevitas' QCDQ export has it: pooled activations are quantised again.

    Args:
        weights_quantised: weights as integers; else as floats before a QuantizeLinear, as the newer exporter has them.
    """
    rng = np.random.default_rng(0)
    builder = GraphBuilder([1, 1, 8, 8])

    def quantised_to(x: str, kind: type[np.generic], scale: float, low: int, high: int) -> str:
        parameters = [builder.constant(np.float32(scale)), builder.constant(kind(0))]
        if kind is not np.int8 or not (weights_quantised and x.startswith("c")):
            x = builder.node("QuantizeLinear", [x, *parameters])
        x = builder.node("Clip", [x, builder.constant(kind(low)), builder.constant(kind(high))])
        return builder.node("DequantizeLinear", [x, *parameters])

    x = quantised_to(builder.input, np.int8, 0.25, -8, 7)
    for inputs, outputs in ((1, 3), (3, 4)):
        values = rng.integers(-4, 4, (outputs, inputs, 3, 3))
        weights = builder.constant(values.astype(np.int8) if weights_quantised else values * 0.5)
        x = builder.node("Conv", [x, quantised_to(weights, np.int8, 0.5, -4, 3)], pads=[1] * 4)
        x = quantised_to(builder.node("Relu", [x]), np.uint8, 0.5, 0, 15)
        x = quantised_to(builder.node("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2]), np.uint8, 0.5, 0, 15)
    return builder.model(x, [1, 4, 2, 2])


@pytest.mark.parametrize("weights_quantised", [False, True])
def test_nothing_of_a_qcdq_network_stays_float(weights_quantised: bool) -> None:
    source = brevitas_like(weights_quantised)
    model = import_model(source)
    streamlined = model.transform(Streamline())
    kinds = [node.op_type for node in streamlined.nodes]
    assert set(kinds[:-1]) == {"Conv", "MultiThreshold", "MaxPool"}
    assert kinds[-1] == "Mul"
    integers_at = [streamlined.get_tensor_datatype(node.outputs[0]).is_integer() for node in streamlined.nodes]
    assert integers_at == [True] * (len(kinds) - 1) + [False]
    integers = np.random.default_rng(1).integers(-8, 8, (50, 1, 8, 8))
    floats = read_input_quantisation(model).to_floats(integers)
    expected = next(iter(execute_onnx(ModelWrapper(source), {"input": floats}).values()))
    assert np.array_equal(execute_onnx(model, {"global_in": integers})["global_out"], expected)
    assert np.array_equal(execute_onnx(streamlined, {"global_in": integers})["global_out"], expected)
