"""Windows and padding: Verilog and C++ against the layer, cycles as stated, with stalls."""

from __future__ import annotations

import numpy as np
import pytest

from finnmake.dataflow.convolution_input_generator import ConvolutionInputGenerator
from finnmake.dataflow.fm_padding import FMPadding
from finnmake.dataflow.layer import Layer
from tests.hls_library.harness import Bench, random_streams

LAYERS = [
    ConvolutionInputGenerator("3,3", 4, "7,6", "1,1", "1,1", 2, "INT4"),
    ConvolutionInputGenerator("2,2", 4, "6,6", "2,2", "1,1", 2, "UINT3", True),
    ConvolutionInputGenerator("3,2", 2, "9,8", "2,1", "2,3", 1, "BIPOLAR"),
    ConvolutionInputGenerator("1,1", 3, "5,5", "3,2", "1,1", 3, "INT8"),
    ConvolutionInputGenerator("1,5", 2, "1,20", "1,2", "1,2", 1, "UINT2", True),
    ConvolutionInputGenerator("3,2", 2, "7,6", "2,1", "1,3", 2, "INT3", parallel_window=True),
    ConvolutionInputGenerator("4,1", 1, "8,1", "1,2", "2,1", 1, "UINT2", True, parallel_window=True),
    ConvolutionInputGenerator("1,1", 2, "3,4", "2,2", "1,1", 2, "BIPOLAR", parallel_window=True),
    FMPadding("4,3", "1,2,0,1", 4, 2, "INT4"),
    FMPadding("2,2", "0,0,2,0", 2, 2, "UINT2"),
    FMPadding("3,3", "1,1,1,2", 6, 3, "INT4", -8),
    FMPadding("2,3", "1,0,1,2", 2, 2, "BIPOLAR", 1),
]


def _random_window(seed: int, *, parallel: bool = False) -> ConvolutionInputGenerator:
    generator = np.random.default_rng(seed)

    def pair(low: int, high: int) -> list[int]:
        return [int(number) for number in generator.integers(low, high, 2)]

    kernel, stride, dilation, more = pair(1, 5), pair(1, 5), pair(1, 4), pair(0, 9)
    image = [(k - 1) * d + 1 + extra for k, d, extra in zip(kernel, dilation, more, strict=True)]
    texts = [",".join(map(str, numbers)) for numbers in (kernel, image, stride, dilation)]
    simd, folds = int(generator.integers(1, 3)), 1 if parallel else int(generator.integers(1, 4))
    depthwise = bool(generator.integers(0, 2))
    return ConvolutionInputGenerator(
        texts[0], simd * folds, texts[1], texts[2], texts[3], simd, "INT5", depthwise, parallel_window=parallel
    )


MORE = [
    *(_random_window(seed) for seed in range(120)),
    *(_random_window(seed, parallel=True) for seed in range(200, 240)),
    *(
        FMPadding(image, padding, 3 * simd, simd, "INT3")
        for image in ("1,1", "1,7", "5,2")
        for padding in ("0,0,0,0", "1,1,1,1", "3,0,0,2", "0,2,1,0")
        for simd in (1, 3)
    ),
]


def name(layer: Layer) -> str:
    return "-".join([layer.op_type, *(str(value) for value in layer.structure().values())])


@pytest.mark.parametrize("layer", LAYERS, ids=name)
def test_verilog_and_cpp_compute_what_the_layer_says_in_the_cycles_it_says(bench: Bench, layer: Layer) -> None:
    bench.check(layer, *random_streams(layer, 10))


@pytest.mark.nightly
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("layer", MORE, ids=name)
def test_more_shapes(bench: Bench, layer: Layer) -> None:
    bench.check(layer, *random_streams(layer, 12, seed=1))
