"""TopK and ArgMax of integers become LabelSelect."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finnmake.graph.custom_op import attribute
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.runtime.execute import execute_onnx
from finnmake.transformation.absorb import AbsorbScalarMulAddIntoTopK
from finnmake.transformation.to_hls import InferLabelSelectLayer
from tests.support.inferred_layers import inferred, op_types, refusals
from tests.support.integer_graphs import IntegerGraph


def top(labels: int, k: int, output: int = 1, shape: tuple[int, ...] = (), **attributes: Any) -> ModelWrapper:
    g = IntegerGraph(shape or (1, labels))
    after = (*g.shape(g.input)[:-1], k)
    outputs = g.nodes("TopK", [g.input, g.constant(np.array([k]))], [after, after], "UINT8", **attributes)
    return g.model(outputs[output])


@settings(max_examples=15, deadline=None)
@given(labels=st.integers(1, 12), k=st.integers(1, 12))
def test_the_k_largest(labels: int, k: int) -> None:
    k = min(k, labels)
    (node,) = inferred(top(labels, k), InferLabelSelectLayer()).nodes
    assert (node.op_type, attribute(node, "K")) == ("LabelSelect", k)


@pytest.mark.parametrize(("axis", "keepdims"), [(-1, 1), (1, 0)])
def test_the_index_of_the_largest_behind_a_scale(axis: int, keepdims: int) -> None:
    g = IntegerGraph((1, 10), "INT3")
    scaled = g.node("Mul", [g.input, g.constant(0.25)], (1, 10), "FLOAT32")
    model = g.model(g.node("ArgMax", [scaled], (1, 1) if keepdims else (1,), "UINT4", axis=axis, keepdims=keepdims))
    layers = model.transform(AbsorbScalarMulAddIntoTopK()).transform(InferLabelSelectLayer())
    assert op_types(layers) == ["LabelSelect"]
    integers = np.random.default_rng(0).integers(-4, 4, (50, 10))
    expected, made = (execute_onnx(each, {"global_in": integers})["global_out"] for each in (model, layers))
    assert np.array_equal(expected, made)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (lambda: top(4, 2, output=0), "gives the values"),
        (lambda: top(4, 2, largest=0), "takes the smallest"),
        (lambda: top(4, 2, shape=(1, 3, 4)), "orders each of several vectors"),
    ],
)
def test_refusals_say_why(model: Any, reason: str) -> None:
    layers = model().transform(InferLabelSelectLayer())
    assert op_types(layers) == ["TopK"]
    assert reason in refusals(layers)[0]
