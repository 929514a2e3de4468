"""Requant, from the op of its name and from thresholds, as layers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finnmake.graph.custom_op import attribute
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation.general import LowerToChannelsLast
from finnmake.transformation.to_hls import ConvertThresholdsToRequant, InferRequantLayer, InferThresholdingLayer
from tests.support.inferred_layers import inferred, op_types, refusals
from tests.support.integer_graphs import IntegerGraph
from tests.support.qonnx_models import QONNX_DOMAIN


def requant(shape: tuple[int, ...], constants: tuple[int, ...], datatype: str = "INT9") -> ModelWrapper:
    g = IntegerGraph(shape, datatype)
    multipliers, biases = g.random.integers(-50, 50, constants), g.random.integers(-5000, 5000, constants)
    held = [g.constant(multipliers), g.constant(biases)]
    attributes = {"shift": 5, "rounding": "HALF_EVEN", "out_dtype": "INT10"}
    return g.model(g.node("Requant", [g.input, *held], shape, "INT10", QONNX_DOMAIN, **attributes))


@pytest.mark.parametrize(
    ("shape", "constants"), [((1, 6), (6,)), ((1, 6), ()), ((1, 3, 4, 6), (6,)), ((1, 5, 6), (1, 1, 6))]
)
def test_constants_of_the_innermost_dimension(shape: tuple[int, ...], constants: tuple[int, ...]) -> None:
    layers = inferred(requant(shape, constants), InferRequantLayer())
    assert op_types(layers) == ["Requant"]
    assert attribute(layers.nodes[0], "numInputVectors") == np.prod(shape[1:-1])


def test_images_with_channels_first() -> None:
    g = IntegerGraph((1, 4, 5, 5))
    x = g.conv(g.input, 3, (3, 3))
    held = [g.constant(g.random.integers(1, 50, (3, 1, 1))) for _ in range(2)]
    attributes = {"shift": 3, "rounding": "FLOOR", "out_dtype": "INT10"}
    model = g.model(g.node("Requant", [x, *held], g.shape(x), "INT10", QONNX_DOMAIN, **attributes))
    assert "Requant" in op_types(inferred(model, LowerToChannelsLast(), InferRequantLayer()))


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (requant((1, 4, 3, 3), (4, 1, 1)), "constants differ along another axis than the innermost"),
        (requant((1, 4), (4,), "INT32"), "its input is INT32"),
    ],
)
def test_refusals_say_why(model: ModelWrapper, reason: str) -> None:
    layers = model.transform(InferRequantLayer())
    assert op_types(layers) == ["Requant"]
    assert reason in refusals(layers)[0]


@settings(max_examples=30, deadline=None)
@given(
    shape=st.sampled_from([(1, 3), (1, 3, 4, 4), (1, 4, 3)]),
    bits=st.integers(2, 8),
    signed=st.booleans(),
    seed=st.integers(0, 10**6),
    jitter=st.booleans(),
)
def test_thresholds_on_a_line(shape: tuple[int, ...], bits: int, signed: bool, seed: int, jitter: bool) -> None:
    g = IntegerGraph(shape, "INT10", seed)
    slopes, offsets = g.random.uniform(0.5, 40, (3, 1)), g.random.uniform(-300, 300, (3, 1))
    steps = np.arange((1 << bits) - 1)
    thresholds = np.ceil(slopes * steps + offsets)
    if jitter:
        thresholds[1] = np.sort(g.random.integers(-512, 512, len(steps)))
    held = g.constant(thresholds.astype(np.float32), "INT16")
    name, low = (f"INT{bits}", -(1 << (bits - 1))) if signed else (f"UINT{bits}", 0)
    layout = {"data_layout": "NHWC"} if len(shape) == 3 else {}
    attributes = {"out_dtype": name, "out_bias": float(low), **layout}
    model = g.model(g.node("MultiThreshold", [g.input, held], shape, name, QONNX_DOMAIN, **attributes))
    layers = inferred(model, ConvertThresholdsToRequant(1), InferRequantLayer(), InferThresholdingLayer())
    if not jitter and len(shape) != 4:
        assert op_types(layers) == ["Requant"]
    if jitter and bits > 5:
        assert "Requant" not in op_types(layers)


def test_few_thresholds_stay() -> None:
    g = IntegerGraph((1, 6))
    model = g.model(g.threshold(g.input, 3))
    assert op_types(model.transform(ConvertThresholdsToRequant())) == ["MultiThreshold"]
