"""Layers that order, repeat and drop words: what is legal, and the references against ONNX's own operators."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from finnmake.dataflow.crop import Crop
from finnmake.dataflow.depth_to_space import DepthToSpace
from finnmake.dataflow.duplicate_streams import DuplicateStreams
from finnmake.dataflow.layer import IntegerArray, Layer
from finnmake.dataflow.layer_file import layer_files, read_layer
from finnmake.dataflow.shuffle import Shuffle
from finnmake.dataflow.streaming_concat import StreamingConcat, StreamingSplit
from finnmake.dataflow.upsample import UpsampleNearestNeighbour
from finnmake.errors import FoldingError, ModelError


def run_onnx(op_type: str, values: IntegerArray, *constants: IntegerArray, **attributes: Any) -> IntegerArray:
    """The first output of one ONNX node."""
    names = [f"input{index}" for index in range(1 + len(constants))]
    node = onnx.helper.make_node(op_type, names, ["output"], **attributes)
    inputs = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.INT64, None) for name in names]
    outputs = [onnx.helper.make_tensor_value_info("output", onnx.TensorProto.INT64, None)]
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "graph", inputs, outputs))
    (result,) = ReferenceEvaluator(model).run(None, dict(zip(names, (values, *constants), strict=True)))
    return np.asarray(result)


def channels_first(images: IntegerArray) -> IntegerArray:
    return images.transpose(0, 3, 1, 2)


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_depth_to_space_is_that_of_onnx(mode: str) -> None:
    layer = DepthToSpace(3, 4, 18, 3, 1, "UINT16", mode)
    images = np.arange(2 * 3 * 4 * 18).reshape(2, 3, 4, 18)
    expected = run_onnx("DepthToSpace", channels_first(images), blocksize=3, mode=mode)
    np.testing.assert_array_equal(channels_first(layer.execute(images).reshape(2, 9, 12, 2)), expected)


def test_a_shuffle_is_the_transpose_of_onnx_and_holds_no_more_than_it_must() -> None:
    layer = Shuffle("2,3,4,6", "0,2,1,3", 3, "UINT16")
    values = np.arange(2 * 144).reshape(2, 2, 3, 4, 6)
    expected = run_onnx("Transpose", values, perm=[0, 1, 3, 2, 4])
    np.testing.assert_array_equal(layer.execute(values), expected.reshape(2, -1))
    assert (layer.blocks, layer.block_words) == (2, 24)


def test_an_upsampled_image_has_rectangles_of_equal_pixels() -> None:
    layer = UpsampleNearestNeighbour(2, 2, 4, 6, 1, 1, "UINT4")
    assert layer.execute(np.array([[1, 2, 3, 4]])).reshape(4, 6).tolist() == [
        [1, 1, 1, 2, 2, 2],
        [1, 1, 1, 2, 2, 2],
        [3, 3, 3, 4, 4, 4],
        [3, 3, 3, 4, 4, 4],
    ]


def test_split_undoes_concat() -> None:
    arguments = ("2,6,4", 2, "INT8", 3)
    generator = np.random.default_rng(0)
    parts = [generator.integers(-128, 127, (5, 3 * channels)) for channels in (2, 6, 4)]
    joined = StreamingConcat(*arguments).execute_streams(parts)
    for got, part in zip(StreamingSplit(*arguments).execute_streams(joined), parts, strict=True):
        np.testing.assert_array_equal(got, part)


def test_ports_are_numbered_where_there_are_several() -> None:
    layer = StreamingConcat("2,6", 2, "INT8")
    assert {name: stream.words_per_frame for name, stream in layer.input_ports().items()} == {"in0": 1, "in1": 3}
    assert list(layer.output_ports()) == ["m_axis"]
    assert list(StreamingSplit("2,6", 2, "INT8").output_ports()) == ["out0", "out1"]
    with pytest.raises(ModelError, match="2 input streams"):
        layer.input_stream()
    with pytest.raises(ModelError, match="2 input streams"):
        layer.execute(np.zeros((1, 2), dtype=np.int64))


@pytest.mark.parametrize(
    "layer",
    [
        StreamingConcat("2,6", 2, "INT8"),
        StreamingSplit("2,6", 2, "INT8"),
        DuplicateStreams(6, 2, 3, "INT8"),
        UpsampleNearestNeighbour(2, 2, 4, 6, 1, 1, "UINT4"),
        DepthToSpace(3, 4, 18, 3, 1, "UINT16", "CRD"),
        Shuffle("3,4", "1,0", 1, "INT2"),
        Crop(4, 4, 2, 2, "INT2", 1, 0, 0, 1),
    ],
    ids=lambda layer: layer.op_type,
)
def test_a_layer_file_gives_the_layer_back(layer: Layer) -> None:
    def no_parameter(name: str) -> bytes:
        raise AssertionError(name)

    assert read_layer(layer_files(layer).text, no_parameter).structure() == layer.structure()


@pytest.mark.parametrize(
    ("kind", "arguments", "error", "text"),
    [
        (StreamingConcat, ("4,6", 4, "INT8"), FoldingError, "Legal values of SIMD: 1, 2"),
        (StreamingConcat, ("4", 1, "INT8"), ModelError, "two or more"),
        (StreamingSplit, ("4,0", 1, "INT8"), ModelError, "ChannelsPerStream"),
        (StreamingSplit, ("4,4", 1, "FLOAT32"), ModelError, "inputDataType"),
        (DuplicateStreams, (6, 2, 1, "INT8"), ModelError, "NumOutputStreams is 1"),
        (DuplicateStreams, (6, 4, 2, "INT8"), FoldingError, "PE = 4"),
        (UpsampleNearestNeighbour, (2, 2, 3, 4, 1, 1, "INT8"), ModelError, "HO = 3 is no multiple of HI = 2"),
        (UpsampleNearestNeighbour, (2, 2, 2, 4, 4, 3, "INT8"), FoldingError, "Legal values of SIMD: 1, 2, 4"),
        (DepthToSpace, (2, 2, 6, 2, 1, "INT8"), ModelError, "multiple of blocksize squared"),
        (DepthToSpace, (2, 2, 8, 2, 2, "INT8", "CRD"), FoldingError, "Legal values of SIMD: 1"),
        (DepthToSpace, (2, 2, 8, 2, 2, "INT8", "RCD"), ModelError, "Use DCR or CRD"),
        (Shuffle, ("3,4", "0,0", 1, "INT8"), ModelError, "order of all dimensions"),
        (Shuffle, ("3,x", "1,0", 1, "INT8"), ModelError, "order of all dimensions"),
        (Shuffle, ("3,4", "1,0", 2, "INT8"), FoldingError, "Legal values of SIMD: 1."),
        (Crop, (3, 3, 1, 1, "INT8", 2, 0, 1, 0), ModelError, "A pixel at least"),
    ],
)
def test_what_is_not_legal_is_said(
    kind: type[Layer], arguments: tuple[object, ...], error: type[Exception], text: str
) -> None:
    with pytest.raises(error) as problem:
        kind(*arguments)
    assert text in str(problem.value)
