"""The shared networks become integers that are, sample by sample, those of the network with exact sums.

Float32 sums of scaled integers round: the network as it is may differ on samples with a value at a rounding tie. These
are counted.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from finnmake.frontend import import_model
from finnmake.frontend.input_quantisation import read_input_quantisation
from finnmake.graph.model_wrapper import ModelWrapper, get_datatype, get_shape
from finnmake.graph.scaled_integer_analysis import analyse
from finnmake.runtime.exact_sums import run_with_exact_sums
from finnmake.runtime.execute import Executor
from finnmake.transformation.streamline.streamline import Streamline
from tests.support.qonnx_models import mnist, shared_file


def integers_behind(model: ModelWrapper, outputs: Any) -> Any:
    """The integers that the model's float outputs stand for."""
    function = analyse(model).functions[model.graph.outputs[0]]
    form = function.affine()
    assert form is not None
    scaled = (outputs.astype(np.float64) - form.bias) / form.scale
    assert np.abs(scaled - np.rint(scaled)).max() < 0.01 * max(1, np.abs(scaled).max() / 1000)
    return np.rint(scaled).astype(np.int64)


def compare(model: ModelWrapper, integers: Any) -> tuple[int, Any]:
    """How many samples float32 rounding decides, and the streamlined outputs; the others must be equal."""
    result = model.transform(Streamline())
    assert all(
        get_datatype(value).is_integer()
        for node in result.nodes
        if node.op_type in ("Conv", "MatMul", "MultiThreshold", "MaxPool", "ReduceSum")
        for value in (*node.inputs[:2], *node.outputs)
        if value is not None and value.dtype is not None and value.dtype.name == "FLOAT"
    )
    outputs = Executor(result).run({"global_in": integers})["global_out"]
    floats = Executor(model).run({"global_in": integers})["global_out"]
    exact = integers_behind(model, run_with_exact_sums(model, integers.reshape(len(integers), -1)))
    assert np.array_equal(integers_behind(result, outputs), exact)
    rounded = (integers_behind(model, floats) != exact).reshape(len(integers), -1).any(axis=1)
    return int(rounded.sum()), outputs


def golden(name: str) -> tuple[ModelWrapper, Any, Any, Any]:
    """A shared network, its golden samples as integers, their labels, and the outputs recorded for them."""
    data = np.load(shared_file(f"models/golden/{name.split('.')[0]}.npz"))
    model = import_model(shared_file(f"models/{name}.onnx"))
    return model, read_input_quantisation(model).to_integers(data["x"]), data["y"], data["golden"]


@pytest.mark.parametrize("name", ["cnv_s_w2a2.qonnx", "resnet_s_w4a4.qonnx", "mbnet_s_w4a4.qonnx", "tfc_w8a8.qdq"])
def test_some_golden_samples(name: str) -> None:
    model, integers, _, recorded = golden(name)
    few = slice(0, 20)
    rounded, outputs = compare(model, integers[few])
    assert rounded == 0
    assert np.array_equal(outputs.argmax(axis=1), recorded[few].argmax(axis=1))


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("name", "accuracy", "rounded"),
    [
        ("cnv_s_w2a2.qonnx", 0.61, 0),
        ("resnet_s_w4a4.qonnx", 0.705, 1),
        ("mbnet_s_w4a4.qonnx", 0.605, 1),
        ("tfc_w8a8.qdq", 0.957, 0),
    ],
)
def test_all_golden_samples(name: str, accuracy: float, rounded: int) -> None:
    model, integers, labels, _ = golden(name)
    # Which samples are decided by rounding depends on the machine's order of additions; that they are few does not.
    found, outputs = compare(model, integers)
    assert found <= rounded + 2
    assert (outputs.argmax(axis=1) == labels).mean() == pytest.approx(accuracy)


@pytest.mark.parametrize(("name", "samples"), [("metafi_w4a4", 1), ("kws_mlp_w3a3", 50), ("espcn_subpixel_w8", 1)])
def test_networks_without_golden_data(name: str, samples: int) -> None:
    model = import_model(shared_file(f"models/{name}.qonnx.onnx"))
    source = model.graph.inputs[0]
    datatype, shape = get_datatype(source), get_shape(source) or ()
    low = int(datatype.min()) + int(name == "kws_mlp_w3a3")  # its input is narrow
    compare(model, np.random.default_rng(0).integers(low, int(datatype.max()) + 1, (samples, *shape[1:])))


def test_expected_class_of_the_keyword() -> None:
    model = import_model(shared_file("models/kws_mlp_w3a3.qonnx.onnx"))
    recording = np.load(shared_file("models/golden/kws_input.npy"))
    integers = read_input_quantisation(model).to_integers(recording).reshape(1, 1, 10, 49)
    _, outputs = compare(model, integers)
    assert outputs.argmax() == np.load(shared_file("models/golden/kws_expected_class.npy")).ravel()[0]


@pytest.mark.parametrize(("name", "accuracy"), [("tfc_w1a1", 0.95), ("tfc_w2a2", 0.98)])
def test_mnist_networks(name: str, accuracy: float) -> None:
    model = import_model(shared_file(f"models/{name}.qonnx.onnx"))
    pixels, labels = mnist(300)
    rounded, outputs = compare(model, pixels)
    assert rounded == 0
    assert (outputs.argmax(axis=1) == labels).mean() >= accuracy - 0.005


def test_finn_onnx_network() -> None:
    model = import_model(shared_file("models/tfc_w1a1.finn.onnx"))
    result = model.transform(Streamline())
    pixels = np.load(shared_file("models/golden/tfc_w1a1_finn_input.npy"))
    expected = np.load(shared_file("models/golden/tfc_w1a1_finn_expected.npy"))
    outputs = Executor(result).run({"global_in": pixels})["global_out"]
    assert np.array_equal(outputs.ravel(), expected.ravel())
    op_types = [node.op_type for node in result.nodes]
    assert op_types[:9] == ["Reshape", *["MultiThreshold", "MatMul"] * 4]
