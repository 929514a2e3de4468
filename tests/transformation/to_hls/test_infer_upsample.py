"""Images that are enlarged by whole factors, whichever way ONNX has of saying so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finnmake.graph.custom_op import attribute
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation.to_hls import InferUpsample
from tests.support.inferred_layers import inferred, op_types, refusals
from tests.support.integer_graphs import IntegerGraph

FLOOR = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}


def resized(factors: tuple[int, int], *, by_sizes: bool = False, **attributes: Any) -> ModelWrapper:
    g = IntegerGraph((1, 2, 3, 4))
    shape = (1, 2 * factors[0], 3 * factors[1], 4)
    none = g.constant(np.zeros(0, dtype=np.float32))
    if by_sizes:
        held = [none, none, g.constant(np.array(shape))]
    else:
        held = [none, g.constant(np.array([1, *factors, 1], dtype=np.float32))]
    return g.model(g.node("Resize", [g.input, *held], shape, "INT4", **attributes))


@settings(max_examples=15, deadline=None)
@given(
    factors=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    by_sizes=st.booleans(),
    attributes=st.sampled_from([{}, FLOOR, {"mode": "nearest"}]),
)
def test_each_pixel_is_repeated(factors: tuple[int, int], by_sizes: bool, attributes: dict[str, Any]) -> None:
    layers = inferred(resized(factors, by_sizes=by_sizes, **attributes), InferUpsample())
    (node,) = layers.nodes
    assert node.op_type == "UpsampleNearestNeighbour"
    assert (attribute(node, "HO"), attribute(node, "WO")) == (2 * factors[0], 3 * factors[1])


def test_the_older_op() -> None:
    g = IntegerGraph((1, 2, 3, 4), opset=9)
    scales = g.constant(np.array([1, 2, 3, 1], dtype=np.float32))
    model = g.model(g.node("Upsample", [g.input, scales], (1, 4, 9, 4), "INT4"))
    assert op_types(inferred(model, InferUpsample())) == ["UpsampleNearestNeighbour"]


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"mode": "linear"}, "interpolates"),
        ({"coordinate_transformation_mode": "align_corners"}, "does not repeat each pixel as often"),
        ({"nearest_mode": "ceil"}, "does not repeat each pixel as often"),
    ],
)
def test_what_does_not_repeat_is_refused(attributes: dict[str, Any], reason: str) -> None:
    layers = resized((2, 3), **attributes).transform(InferUpsample())
    assert op_types(layers) == ["Resize"]
    assert reason in refusals(layers)[0]


def test_a_smaller_image_is_refused() -> None:
    g = IntegerGraph((1, 4, 4, 1))
    none = g.constant(np.zeros(0, dtype=np.float32))
    scales = g.constant(np.array([1, 0.5, 1, 1], dtype=np.float32))
    layers = g.model(g.node("Resize", [g.input, none, scales], (1, 2, 4, 1), "INT4")).transform(InferUpsample())
    assert refusals(layers) == ["makes 2 x 4 pixels of 4 x 4"]
