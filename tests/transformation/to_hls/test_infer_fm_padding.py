"""Images, and other frames, with a border of one number."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finnmake.graph.custom_op import attribute
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation.general import LowerToChannelsLast
from finnmake.transformation.to_hls import InferConvInpGen, InferFMPadding, InferVectorVectorActivation
from tests.support.inferred_layers import inferred, op_types, refusals
from tests.support.integer_graphs import IntegerGraph


def padded(
    shape: tuple[int, ...], pads: list[tuple[int, int]], value: float = 0, datatype: str = "INT4", **attributes: Any
) -> ModelWrapper:
    g = IntegerGraph(shape, datatype)
    numbers = np.array([before for before, _ in pads] + [after for _, after in pads])
    after = [size + sum(pair) for size, pair in zip(shape, pads, strict=True)]
    held = [g.constant(numbers), g.constant(np.float32(value))]
    return g.model(g.node("Pad", [g.input, *held], after, "INT8", **attributes))


@settings(max_examples=30, deadline=None)
@given(
    shape=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    pads=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=3, max_size=3),
    value=st.integers(-9, 9),
    datatype=st.sampled_from(["INT4", "UINT3", "BIPOLAR"]),
)
def test_padded_along_any_dimension(shape: list[int], pads: list[tuple[int, int]], value: int, datatype: str) -> None:
    pads = pads[: len(shape)]
    model = padded((1, *shape), [(0, 0), *pads], value, datatype)
    if not any(any(pair) for pair in pads):
        return
    layers = inferred(model, InferFMPadding())
    assert set(op_types(layers)) <= {"FMPadding", "ElementwiseMul"}
    assert all(attribute(node, "PadValue") == value for node in layers.get_nodes_by_op_type("FMPadding"))


def test_rows_and_columns_are_padded_together() -> None:
    layers = inferred(padded((1, 3, 4, 2), [(0, 0), (1, 2), (0, 1), (0, 0)]), InferFMPadding())
    assert [attribute(node, "Padding") for node in layers.nodes] == ["1,0,2,1"]


@pytest.mark.parametrize(
    ("pads", "value", "attributes", "reason"),
    [
        ([(0, 0), (1, 1)], 0.5, {}, "no constant whole number"),
        ([(0, 0), (1, 1)], 0, {"mode": "edge"}, "pads in mode edge"),
        ([(0, 0), (-1, 1)], 0, {}, "takes away"),
        ([(1, 0), (0, 0)], 0, {}, "pads the batch"),
    ],
)
def test_refusals_say_why(pads: list[tuple[int, int]], value: float, attributes: dict[str, Any], reason: str) -> None:
    layers = padded((1, 4), pads, value, **attributes).transform(InferFMPadding())
    assert op_types(layers) == ["Pad"]
    assert reason in refusals(layers)[0]


@pytest.mark.parametrize("group", [1, 2])
def test_windows_over_an_image_that_is_padded_with_what_stands_for_zero(group: int) -> None:
    g = IntegerGraph((1, 2, 4, 4), "UINT4")
    model = g.model(g.conv(g.input, 2, (3, 3), group=group, pads=[1] * 4)).transform(LowerToChannelsLast())
    (im2col,) = model.get_nodes_by_op_type("Im2Col")
    im2col.attributes.add(ir.AttrFloat32("pad_value", 3.0))
    layers = inferred(model, InferVectorVectorActivation(), InferConvInpGen())
    assert [attribute(node, "PadValue") for node in layers.get_nodes_by_op_type("FMPadding")] == [3]
