"""The general ops against the qonnx package: the same models, executed by both, equal bit for bit."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.graph.quantisation import ROUNDING_MODES
from finnmake.runtime.execute import execute_onnx
from tests.support.qonnx_models import QONNX_DOMAIN, GraphBuilder
from tests.support.qonnx_peer import QonnxError, QonnxPeer

MODES = sorted(set(ROUNDING_MODES) - {"ROUND_TO_ZERO"})

Array = NDArray[Any]


def assert_same(qonnx: QonnxPeer, model: onnx.ModelProto, x: Array) -> None:
    """Both execute the model on ``x`` and get equal numbers in every output."""
    inputs = {model.graph.input[0].name: x}
    expected = qonnx.execute(model, inputs)
    got = execute_onnx(ModelWrapper(model), inputs)
    assert got.keys() == expected.keys()
    nodes = {node.output[0]: node for node in model.graph.node}
    for name, array in expected.items():
        assert got[name].dtype == array.dtype == np.float32, nodes[name]
        if not np.array_equal(got[name], array):  # the text of a node takes longer than its execution
            np.testing.assert_array_equal(got[name], array, err_msg=str(nodes[name]))


def values(*shape: int, step: float = 0.25) -> Array:
    """Numbers on both sides of zero: multiples of ``step``, so ties, and others."""
    random = np.random.default_rng(len(shape))
    array = random.normal(0, 20 * step, shape)
    ties = random.integers(-80, 80, shape) * (step / 2)
    return np.where(random.random(shape) < 0.5, array, ties).astype(np.float32)


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 8, 16, 24, 32])
@pytest.mark.parametrize("mode", MODES)
def test_quant(qonnx: QonnxPeer, mode: str, bits: int) -> None:
    builder = GraphBuilder([4, 3, 5, 2])
    per_channel = np.array([0.25, 0.3, 1.7], dtype=np.float32).reshape(1, 3, 1, 1)
    outputs = [
        builder.node(
            "Quant",
            [builder.input, *(builder.constant(np.asarray(number)) for number in (scale, zero, float(bits)))],
            QONNX_DOMAIN,
            signed=signed,
            narrow=narrow,
            rounding_mode=mode,
        )
        for scale, zero, signed, narrow in itertools.product(
            (0.25, 0.1, per_channel), (0.0, 1.0, -3.0, 0.5), (0, 1), (0, 1)
        )
    ]
    x = values(4, 3, 5, 2)
    x[0, 0, 0, 0], x[0, 0, 0, 1] = np.inf, -np.inf
    assert_same(qonnx, builder.model_of(dict.fromkeys(outputs, (4, 3, 5, 2))), x)


def test_int_quant_is_quant(qonnx: QonnxPeer) -> None:
    builder = GraphBuilder([4, 3])
    parameters = [builder.constant(number) for number in (0.5, 1.0, 3.0)]
    attributes = {"signed": 1, "narrow": 0, "rounding_mode": "HALF_UP"}
    output = builder.node("IntQuant", [builder.input, *parameters], QONNX_DOMAIN, **attributes)
    assert_same(qonnx, builder.model(output, (4, 3)), values(4, 3))


def test_quant_modes_in_lower_case(qonnx: QonnxPeer) -> None:
    builder = GraphBuilder([4, 3])
    outputs = [
        builder.quant(builder.input, 0.5, 3, mode="ceil"),
        builder.quant(builder.input, 0.5, 3, mode="Half_Down"),
    ]
    assert_same(qonnx, builder.model_of(dict.fromkeys(outputs, (4, 3))), values(4, 3))


def test_qonnx_does_not_know_round_to_zero(qonnx: QonnxPeer) -> None:
    """Brevitas writes it, the QONNX specification has it; qonnx 1.0.0 calls it DOWN only."""
    builder = GraphBuilder([4, 3])
    model = builder.model(builder.quant(builder.input, 0.5, 3, mode="ROUND_TO_ZERO"), [4, 3])
    with pytest.raises(QonnxError, match="ROUND_TO_ZERO"):
        qonnx.execute(model, {builder.input: values(4, 3)})


@pytest.mark.parametrize("scale", [1.0, 0.3, [[[0.5]], [[0.1]], [[3.0]]]])
def test_bipolar_quant(qonnx: QonnxPeer, scale: Any) -> None:
    builder = GraphBuilder([4, 3, 5, 2])
    output = builder.node("BipolarQuant", [builder.input, builder.constant(scale)], QONNX_DOMAIN)
    x = values(4, 3, 5, 2)
    x[:2, 0] = np.array([0.0, -0.0], dtype=np.float32)
    assert_same(qonnx, builder.model(output, (4, 3, 5, 2)), x)


@pytest.mark.parametrize("mode", MODES)
def test_trunc_with_five_inputs(qonnx: QonnxPeer, mode: str) -> None:
    builder = GraphBuilder([4, 3, 16])
    outputs = []
    for scale, zero, bits in itertools.product((0.25, 0.1), (0.0, 2.0), ((8, 4), (6, 5), (8, 8), (10, 2))):
        inputs = [builder.constant(float(number)) for number in (scale, zero, *bits)]
        outputs.append(builder.node("Trunc", [builder.input, *inputs], QONNX_DOMAIN, rounding_mode=mode))
    assert_same(qonnx, builder.model_of(dict.fromkeys(outputs, (4, 3, 16))), values(4, 3, 16))


@pytest.mark.parametrize("mode", MODES)
def test_trunc_with_six_inputs(qonnx: QonnxPeer, mode: str) -> None:
    builder = GraphBuilder([4, 3, 16], qonnx_opset=2)
    outputs = []
    for scale, zero, shift, bits, signed, narrow in itertools.product(
        (0.25, 0.1), (0.0, 2.0), (0, 1, 4), (1, 4, 8), (0, 1), (0, 1)
    ):
        inputs = [builder.constant(float(number)) for number in (scale, zero, 8, scale * 2**shift, bits)]
        attributes = {"rounding_mode": mode, "signed": signed, "narrow": narrow}
        outputs.append(builder.node("Trunc", [builder.input, *inputs], QONNX_DOMAIN, **attributes))
    assert_same(qonnx, builder.model_of(dict.fromkeys(outputs, (4, 3, 16))), values(4, 3, 16))


@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        ((4, 3), ""),
        ((4, 3), "NC"),
        ((4, 3, 5), "NCW"),
        ((4, 5, 3), "NWC"),
        ((4, 3, 5, 2), ""),
        ((4, 3, 5, 2), "NCHW"),
        ((4, 5, 2, 3), "NHWC"),
    ],
)
def test_multi_threshold(qonnx: QonnxPeer, shape: tuple[int, ...], layout: str) -> None:
    builder = GraphBuilder(shape)
    random = np.random.default_rng(0)
    outputs = []
    for rows, steps, out_scale, out_bias in itertools.product((1, 3), (1, 3, 15), (1.0, 2.0, 0.3), (0.0, -1.0, 0.7)):
        thresholds = np.sort(random.integers(-10, 10, (rows, steps)), axis=1) * 0.5
        attributes = {"out_dtype": "INT8", "out_scale": out_scale, "out_bias": out_bias, "data_layout": layout}
        inputs = [builder.input, builder.constant(thresholds)]
        outputs.append(builder.node("MultiThreshold", inputs, QONNX_DOMAIN, **attributes))
    assert_same(qonnx, builder.model_of(dict.fromkeys(outputs, shape)), values(*shape))


def test_xnor_popcount_matmul(qonnx: QonnxPeer) -> None:
    random = np.random.default_rng(0)
    for shape in ((4, 17), (4, 3, 17), (1, 200)):
        builder = GraphBuilder(shape)
        weights = builder.constant(random.integers(0, 2, (shape[-1], 5)).astype(np.float32))
        output = builder.node("XnorPopcountMatMul", [builder.input, weights], QONNX_DOMAIN)
        x = random.integers(0, 2, shape).astype(np.float32)
        assert_same(qonnx, builder.model(output, (*shape[:-1], 5)), x)


def test_multi_threshold_of_three_dimensions_without_a_layout(qonnx: QonnxPeer) -> None:
    """qonnx takes the channels to be innermost there, and only there."""
    builder = GraphBuilder([4, 5, 3])
    thresholds = builder.constant(np.array([[0.0, 1.0], [2.0, 3.0], [-4.0, 4.0]]))
    output = builder.node("MultiThreshold", [builder.input, thresholds], QONNX_DOMAIN, out_dtype="UINT2")
    assert_same(qonnx, builder.model(output, (4, 5, 3)), values(4, 5, 3))


def annotated(model: onnx.ModelProto, datatype: str) -> onnx.ModelProto:
    """The model with a datatype for its input."""
    annotation = model.graph.quantization_annotation.add(tensor_name=model.graph.input[0].name)
    annotation.quant_parameter_tensor_names.add(key="finn_datatype", value=datatype)
    return model


@pytest.mark.parametrize("kernel", [(1, 1), (3, 3), (2, 3)])
@pytest.mark.parametrize("stride", [(1, 1), (2, 1), (3, 3)])
@pytest.mark.parametrize("dilations", [(1, 1), (2, 2)])
@pytest.mark.parametrize(("pads", "pad_value"), [((0, 0, 0, 0), 0), ((1, 2, 0, 1), 0), ((1, 1, 1, 1), -1)])
def test_im2col(
    qonnx: QonnxPeer,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilations: tuple[int, int],
    pads: tuple[int, ...],
    pad_value: int,
) -> None:
    height, width, channels = 8, 7, 3
    builder = GraphBuilder([1, height, width, channels])
    output = builder.node(
        "Im2Col",
        [builder.input],
        QONNX_DOMAIN,
        kernel_size=kernel,
        stride=stride,
        dilations=dilations,
        pad_amount=pads,
        pad_value=pad_value,
        input_shape=f"(1,{height},{width},{channels})",
    )
    out = [
        (size + pads[axis] + pads[axis + 2] - dilations[axis] * (kernel[axis] - 1) - 1) // stride[axis] + 1
        for axis, size in enumerate((height, width))
    ]
    model = builder.model(output, (1, *out, kernel[0] * kernel[1] * channels))
    x = np.random.default_rng(0).integers(-8, 8, (1, height, width, channels)).astype(np.float32)
    assert_same(qonnx, annotated(model, "INT4"), x)


@pytest.mark.parametrize("kernel", [(2, 2), (3, 2)])
@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (3, 1)])
@pytest.mark.parametrize("pads", [(0, 0, 0, 0), (1, 1, 1, 1)])
@pytest.mark.parametrize("ceil_mode", [0, 1])
def test_max_pool_nhwc(
    qonnx: QonnxPeer, kernel: tuple[int, int], strides: tuple[int, int], pads: tuple[int, ...], ceil_mode: int
) -> None:
    builder = GraphBuilder([2, 8, 7, 3])
    attributes = {"kernel_shape": kernel, "strides": strides, "pads": pads, "ceil_mode": ceil_mode}
    output = builder.node("MaxPoolNHWC", [builder.input], QONNX_DOMAIN, **attributes)
    out = [
        -((kernel[axis] - size - 2 * pads[axis]) // strides[axis]) + 1
        if ceil_mode
        else (size + 2 * pads[axis] - kernel[axis]) // strides[axis] + 1
        for axis, size in enumerate((8, 7))
    ]
    assert_same(qonnx, builder.model(output, (2, *out, 3)), values(2, 8, 7, 3))


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize(("kernel", "stride"), [(2, 2), (3, 1), (4, 2)])
@pytest.mark.parametrize(("signed", "obits"), [(0, 4), (0, 8), (1, 4)])
def test_quant_avg_pool(qonnx: QonnxPeer, layout: str, kernel: int, stride: int, signed: int, obits: int) -> None:
    out = (8 - kernel) // stride + 1
    first = layout == "NCHW"
    shape, out_shape = ((2, 3, 8, 8), (2, 3, out, out)) if first else ((2, 8, 8, 3), (2, out, out, 3))
    builder = GraphBuilder(shape)
    attributes = {"kernel": kernel, "stride": stride, "ibits": 4, "obits": obits, "signed": signed}
    output = builder.node("QuantAvgPool2d", [builder.input], QONNX_DOMAIN, data_layout=layout, **attributes)
    x = np.random.default_rng(0).integers(-8 * signed, 16 - 8 * signed, shape).astype(np.float32)
    assert_same(qonnx, builder.model(output, out_shape), x)
