"""DepthToSpace becomes the layer of that name, whatever Transposes are around it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finnmake.frontend import import_model
from finnmake.graph.custom_op import attribute
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.runtime.execute import execute_onnx
from finnmake.transformation.flow import AUTOMATIC_FLOW, make_transformation
from finnmake.transformation.host import OUTPUT_KEY
from finnmake.transformation.to_hls import CreateDataflowPartition, InferDepthToSpace
from tests.support.integer_graphs import IntegerGraph, same_function
from tests.support.qonnx_models import shared_file


def blocks(g: IntegerGraph, x: str, blocksize: int, datatype: str = "INT4", **mode: str) -> str:
    _, channels, rows, columns = g.shape(x)
    shape = (1, channels // blocksize**2, rows * blocksize, columns * blocksize)
    return g.node("DepthToSpace", [x], shape, datatype, blocksize=blocksize, **mode)


def turn(g: IntegerGraph, x: str, *perm: int) -> str:
    return g.node("Transpose", [x], [g.shape(x)[axis] for axis in perm], "INT4", perm=perm)


def op_types(model: ModelWrapper) -> list[str]:
    return [node.op_type for node in model.nodes]


@settings(max_examples=20, deadline=None)
@given(
    channels=st.integers(1, 3),
    size=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    blocksize=st.integers(1, 3),
    mode=st.sampled_from([{}, {"mode": "DCR"}, {"mode": "CRD"}]),
    before=st.booleans(),
    behind=st.integers(0, 2),
)
def test_the_layer_gives_what_the_op_gives(
    channels: int, size: tuple[int, int], blocksize: int, mode: dict[str, str], before: bool, behind: int
) -> None:
    elements = channels * blocksize**2
    g = IntegerGraph((1, *size, elements) if before else (1, elements, *size))
    x = blocks(g, turn(g, g.input, 0, 3, 1, 2) if before else g.input, blocksize, **mode)
    outputs = [x, turn(g, x, 0, 2, 3, 1)]
    model = g.model(*outputs[:behind]) if behind else g.model(outputs[1])
    layers = model.transform(InferDepthToSpace())
    node = next(node for node in layers.nodes if node.op_type == "DepthToSpace")
    assert node.domain != ""
    assert attribute(node, "mode") == mode.get("mode", "DCR")
    assert op_types(layers).count("Transpose") == (not before) + (behind > 0)
    assert same_function(model, layers)


@pytest.mark.parametrize(
    ("shape", "datatype"), [((2, 4, 2, 2), "INT4"), ((1, 4, 2, 2), "FLOAT32")], ids=["batch of 2", "floats"]
)
def test_others_stay(shape: tuple[int, ...], datatype: str) -> None:
    g = IntegerGraph(shape, datatype)
    x = g.node("DepthToSpace", [g.input], (shape[0], 1, 4, 4), datatype, blocksize=2)
    assert [node.domain for node in g.model(x).transform(InferDepthToSpace()).nodes] == [""]


def test_pixel_shuffle_behind_a_convolution_needs_no_transposes_inside() -> None:
    g = IntegerGraph((1, 3, 4, 5))
    x = blocks(g, g.conv(g.threshold(g.input), 12, (3, 3), pads=[1] * 4), 2, "INT16", mode="CRD")
    model = g.model(g.threshold(x))
    layers = model
    for name, arguments in AUTOMATIC_FLOW[AUTOMATIC_FLOW.index(("LowerToChannelsLast", {})) :]:
        if name != "InsertTopK":
            layers = layers.transform(make_transformation(name, arguments))
    names = op_types(layers)
    assert (names[0], names[-3:]) == ("Transpose", ["DepthToSpace", "Thresholding", "Transpose"])
    assert "Transpose" not in names[1:-1]
    assert same_function(model, layers)


def test_espcn_is_layers_only() -> None:
    model = import_model(shared_file("models/espcn_subpixel_w8.qonnx.onnx"))
    streamlined = model.transform(make_transformation("Streamline", {}))
    layers = streamlined
    for name, arguments in AUTOMATIC_FLOW[1:-1]:
        layers = layers.transform(make_transformation(name, arguments))
    layers = layers.transform(CreateDataflowPartition())
    assert op_types(layers).count("Transpose") == 2
    frames = np.random.default_rng(0).integers(0, 256, (1, 3, 128, 128))
    integers = execute_onnx(layers, {"global_in": frames})["global_out"]
    expected = execute_onnx(streamlined, {"global_in": frames})["global_out"]
    scale = expected.max() / integers.max()
    assert layers.get_metadata_prop(OUTPUT_KEY) is not None
    np.testing.assert_array_equal(np.rint(expected / scale), integers)
