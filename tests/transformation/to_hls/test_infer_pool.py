"""The largest and the average of windows become Pool, padded or not; bits that are dropped behind it belong to it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finnmake.frontend import import_model
from finnmake.graph.custom_op import attribute
from finnmake.graph.datatype import DataType
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.runtime.execute import execute_onnx
from finnmake.transformation.flow import AUTOMATIC_FLOW, make_transformation
from finnmake.transformation.general import LowerToChannelsLast
from finnmake.transformation.host import OUTPUT_KEY
from finnmake.transformation.to_hls import InferPool, InferThresholdingLayer, InferVectorVectorActivation
from tests.support.inferred_layers import inferred, op_types, refusals
from tests.support.integer_graphs import IntegerGraph
from tests.support.qonnx_models import QONNX_DOMAIN, GraphBuilder

TYPES = ["INT4", "UINT3", "BIPOLAR", "TERNARY", "INT2"]


@settings(max_examples=25, deadline=None)
@given(
    size=st.tuples(st.integers(3, 6), st.integers(3, 6)),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
    pad=st.integers(0, 1),
    datatype=st.sampled_from(TYPES),
)
def test_the_largest_of_padded_windows(
    size: tuple[int, int], kernel: int, stride: int, pad: int, datatype: str
) -> None:
    g = IntegerGraph((1, 2, *size), datatype)
    pads = [pad if kernel > 1 else 0] * 4
    model = g.model(g.max_pool(g.input, kernel, strides=[stride] * 2, pads=pads))
    layers = inferred(model.transform(LowerToChannelsLast()), InferPool())
    (node,) = layers.get_nodes_by_op_type("Pool")
    assert (attribute(node, "Function"), attribute(node, "outputDataType")) == ("MaxPool", datatype)
    for padding in layers.get_nodes_by_op_type("FMPadding"):
        assert attribute(padding, "PadValue") == int(DataType[datatype].min())


def sums(datatype: str, bits: int | None, *, narrow: bool = False) -> ModelWrapper:
    """Sums of 2 x 2 pixels, with thresholds behind them that drop so many bits."""
    g = IntegerGraph((1, 3, 4, 6), datatype)
    ones = np.ones((3, 1, 2, 2), dtype=np.float32)
    x = g.conv(g.input, 3, (2, 2), group=3, weights=ones, strides=[2, 2])
    if bits is None:
        return g.model(x).transform(LowerToChannelsLast())
    source = DataType[datatype]
    low, high = (int(bound) * 4 >> bits for bound in (source.min(), source.max()))
    output = DataType.smallest_for_range(min(low, 0), max(high, 1))
    levels = np.arange(int(output.min()) + 1, int(output.max()) + 1 - 2 * narrow) * float(1 << bits)
    held = g.constant(levels.reshape(1, -1).astype(np.float32), "INT16")
    bias = {"out_dtype": output.name, "out_bias": float(output.min())}
    return g.model(g.node("MultiThreshold", [x, held], g.shape(x), output.name, QONNX_DOMAIN, **bias)).transform(
        LowerToChannelsLast()
    )


@pytest.mark.parametrize("datatype", ["INT4", "UINT3", "TERNARY", "BINARY"])
@pytest.mark.parametrize("bits", [None, 0, 1, 2])
def test_the_average_of_windows_drops_bits(datatype: str, bits: int | None) -> None:
    layers = inferred(sums(datatype, bits), InferPool())
    assert [name for name in op_types(layers) if name != "Transpose"] == ["ConvolutionInputGenerator", "Pool"]
    (node,) = layers.get_nodes_by_op_type("Pool")
    assert (attribute(node, "Function"), attribute(node, "Shift")) == ("QuantAvgPool", bits or 0)


def test_thresholds_that_clip_are_a_layer_of_their_own() -> None:
    layers = inferred(sums("UINT3", 1, narrow=True), InferPool(), InferThresholdingLayer())
    assert op_types(layers)[-3:-1] == ["Pool", "Thresholding"]
    assert attribute(layers.get_nodes_by_op_type("Pool")[0], "Shift") == 0


def test_sums_of_bipolar_are_another_layer() -> None:
    layers = inferred(sums("BIPOLAR", None), InferPool(), InferVectorVectorActivation())
    assert "VectorVectorActivation" in op_types(layers)


def average(**attributes: Any) -> ModelWrapper:
    g = IntegerGraph((1, 4, 6, 3), "UINT4" if not attributes.get("signed") else "INT4")
    result = f"{'INT' if attributes.get('signed') else 'UINT'}{attributes['obits']}"
    attributes = {"kernel": 2, "stride": 2, "ibits": 4, "signed": 0, "data_layout": "NHWC", **attributes}
    return g.model(g.node("QuantAvgPool2d", [g.input], (1, 2, 3, 3), result, QONNX_DOMAIN, **attributes))


@pytest.mark.parametrize(("bits", "signed"), [(4, 0), (6, 0), (3, 1), (4, 1)])
def test_qonnx_has_an_average_of_its_own(bits: int, signed: int) -> None:
    layers = inferred(average(obits=bits, signed=signed), InferPool())
    assert attribute(layers.get_nodes_by_op_type("Pool")[0], "outputDataType") == f"{'' if signed else 'U'}INT{bits}"


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [({"obits": 3, "ibits": 3}, "do not fit its obits"), ({"obits": 4, "data_layout": "NCHW"}, "not innermost")],
)
def test_averages_that_are_refused(attributes: dict[str, Any], reason: str) -> None:
    if attributes.get("data_layout") == "NCHW":
        g = IntegerGraph((1, 4, 6, 4), "UINT4")
        options = {"kernel": 2, "stride": 2, "ibits": 4, "signed": 0, **attributes}
        model = g.model(g.node("QuantAvgPool2d", [g.input], (1, 4, 3, 2), "UINT4", QONNX_DOMAIN, **options))
    else:
        model = average(**attributes)
    layers = model.transform(InferPool())
    assert op_types(layers) == ["QuantAvgPool2d"]
    assert reason in refusals(layers)[0]


@pytest.mark.parametrize("kernel", [2, 3])
def test_average_pool_and_trunc_of_brevitas(kernel: int) -> None:
    builder = GraphBuilder([1, 2, 6, 6])
    x = builder.quant(builder.input, 0.5, 4, signed=0)
    x = builder.node("AveragePool", [x], kernel_shape=[kernel] * 2, strides=[kernel] * 2)
    scale = builder.node("Mul", [x, builder.constant(float(kernel**2))])
    bits = 4 + (kernel**2 - 1).bit_length()
    inputs = [builder.constant(number) for number in (0.5, 0.0, float(bits), 4.0)]
    x = builder.node("Trunc", [scale, *inputs], QONNX_DOMAIN, rounding_mode="FLOOR")
    model = import_model(builder.model(x, [1, 2, 6 // kernel, 6 // kernel]))
    layers = model
    for name, arguments in AUTOMATIC_FLOW:
        if name != "InsertTopK":
            layers = layers.transform(make_transformation(name, arguments))
    (node,) = layers.get_nodes_by_op_type("Pool")
    assert "VectorVectorActivation" not in op_types(layers)
    assert attribute(node, "Shift") == bits - 4
    integers = np.random.default_rng(0).integers(0, 16, (4, 2, 6, 6))
    expected = execute_onnx(model, {"global_in": integers})["global_out"]
    made = execute_onnx(layers, {"global_in": integers})["global_out"]
    assert layers.get_metadata_prop(OUTPUT_KEY) is not None
    assert np.unique(expected).size > 3
    assert np.array_equal(made / made.max(), expected / expected.max())
