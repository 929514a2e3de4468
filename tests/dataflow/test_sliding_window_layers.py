"""Windows and padding: what is legal, the references against ONNX's Im2Col and NumPy, the schedule's numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from finnmake.dataflow.convolution_input_generator import ConvolutionInputGenerator
from finnmake.dataflow.fabric import ECP5
from finnmake.dataflow.fm_padding import FMPadding
from finnmake.dataflow.layer import Layer
from finnmake.dataflow.layer_file import layer_files, read_layer
from finnmake.dataflow.resource_estimate import estimate_resources
from finnmake.dataflow.vector_vector_activation import VectorVectorActivation
from finnmake.errors import FoldingError, ModelError
from finnmake.graph.im2col import Im2Col

WINDOWS = (
    ("3,3", "7,6", "1,1", "1,1"),
    ("3,2", "9,8", "2,1", "2,3"),
    ("1,1", "5,5", "3,2", "1,1"),
    ("1,5", "1,20", "1,2", "1,2"),
    ("4,1", "9,1", "3,1", "1,1"),
)


@pytest.mark.parametrize("simd", [1, 2, 6])
@pytest.mark.parametrize(("kernel", "image", "stride", "dilation"), WINDOWS)
def test_windows_are_those_of_im2col(kernel: str, image: str, stride: str, dilation: str, simd: int) -> None:
    layer = ConvolutionInputGenerator(kernel, 6, image, stride, dilation, simd, "INT8")
    numbers = {
        name: [int(number) for number in text.split(",")]
        for name, text in (("kernel_size", kernel), ("stride", stride), ("dilations", dilation))
    }
    node = ir.Node("qonnx.custom_op.general", "Im2Col", [], [ir.AttrInt64s(k, v) for k, v in numbers.items()])
    height, width = (int(number) for number in image.split(","))
    images = np.random.default_rng(0).integers(-128, 127, (3, height, width, 6))
    (expected,) = Im2Col().execute(node, [images])
    assert expected is not None
    np.testing.assert_array_equal(layer.execute(images.reshape(3, -1)), expected.reshape(3, -1))
    assert layer.windows == expected.shape[1:3]


def test_depthwise_windows_have_channel_words_outside_of_taps() -> None:
    arguments = ("2,3", 6, "4,5", "1,1", "1,1", 2, "INT8")
    images = np.arange(120).reshape(1, -1)
    dense = ConvolutionInputGenerator(*arguments).execute(images).reshape(-1, 6, 3, 2)
    depthwise = ConvolutionInputGenerator(*arguments, depthwise=True).execute(images).reshape(-1, 3, 6, 2)
    np.testing.assert_array_equal(depthwise, dense.transpose(0, 2, 1, 3))


def test_a_frame_takes_as_many_cycles_as_the_side_with_more_words() -> None:
    assert ConvolutionInputGenerator("3,3", 4, "8,8", "1,1", "1,1", 2, "INT4").interval_cycles() == 36 * 9 * 2
    assert ConvolutionInputGenerator("1,1", 4, "8,8", "2,2", "1,1", 2, "INT4").interval_cycles() == 64 * 2
    assert FMPadding("4,4", "1,1,1,1", 4, 2, "INT4").interval_cycles() == 36 * 2


def test_the_memory_holds_a_few_rows_and_not_the_image() -> None:
    layer = ConvolutionInputGenerator("3,3", 8, "66,66", "1,1", "1,1", 8, "INT4")
    assert 2 * 66 + 3 <= layer.memory_depth() <= 5 * 66
    pooling = ConvolutionInputGenerator("2,2", 8, "64,64", "2,2", "1,1", 8, "INT4", True)
    assert pooling.memory_depth() <= 3 * 64


def test_padding_surrounds_the_image() -> None:
    layer = FMPadding("2,1", "1,0,0,2", 2, 1, "INT4")
    padded = layer.execute(np.array([[1, 2, 3, 4]])).reshape(3, 3, 2)
    np.testing.assert_array_equal(padded[:, 0], [[0, 0], [1, 2], [3, 4]])
    assert not padded[:, 1:].any()


@pytest.mark.parametrize(
    "layer",
    [ConvolutionInputGenerator("3,3", 4, "8,8", "1,1", "1,1", 2, "INT4"), FMPadding("4,4", "1,1,1,1", 4, 2, "INT4")],
    ids=lambda layer: layer.op_type,
)
def test_a_layer_file_gives_the_layer_back(layer: Layer) -> None:
    def no_parameter(name: str) -> bytes:
        raise AssertionError(name)

    assert read_layer(layer_files(layer).text, no_parameter).structure() == layer.structure()


@pytest.mark.parametrize(
    ("kind", "arguments", "error", "text"),
    [
        (ConvolutionInputGenerator, ("3,3", 4, "8,8", "1,1", "1,1", 3, "INT4"), FoldingError, "Legal values of SIMD"),
        (ConvolutionInputGenerator, ("3,3", 4, "2,8", "1,1", "1,1", 2, "INT4"), ModelError, "larger than the image"),
        (ConvolutionInputGenerator, ("3", 4, "8,8", "1,1", "1,1", 2, "INT4"), ModelError, "ConvKernelDim is '3'"),
        (ConvolutionInputGenerator, ("3,3", 4, "8,8", "0,1", "1,1", 2, "INT4"), ModelError, "Stride"),
        (
            ConvolutionInputGenerator,
            ("3,3", 4, "8,8", "1,1", "1,1", 2, "INT4", False, "registers"),
            ModelError,
            "Legal values: auto, distributed, block, ultra",
        ),
        (FMPadding, ("4,4", "1,1,1", 4, 2, "INT4"), ModelError, "Give 4 numbers"),
        (FMPadding, ("4,4", "1,1,1,-1", 4, 2, "INT4"), ModelError, "Padding"),
        (FMPadding, ("4,4", "1,1,1,1", 4, 2, "BIPOLAR"), ModelError, "no zero"),
        (FMPadding, ("4,4", "1,1,1,1", 4, 2, "UINT4", -1), ModelError, "no -1"),
    ],
)
def test_what_is_not_legal_is_said(
    kind: type[Layer], arguments: tuple[Any, ...], error: type[Exception], text: str
) -> None:
    with pytest.raises(error) as problem:
        kind(*arguments)
    assert text in str(problem.value)


def test_resources_count_memories_and_multipliers() -> None:
    windows = ConvolutionInputGenerator("3,3", 16, "34,34", "1,1", "1,1", 16, "INT8")
    estimated = estimate_resources(windows)
    assert ECP5.block_memories(windows.memory_depth(), 128) == estimated.BRAM_18K
    parameters = {"weights": np.ones((9, 4), dtype=np.int64)}
    product = VectorVectorActivation(
        Channels=4, PE=2, Kernel="3,3", Dim="5,5", inputDataType="INT8", weightDataType="INT8", accDataType="INT20",
        outputDataType="INT20", noActivation=True, resType="dsp", parameters=parameters,
    )  # fmt: skip
    assert estimate_resources(product).DSP == 2
