"""Kernels that order, repeat and drop words of streams: Verilog and C++ against the layer, cycles as stated."""

from __future__ import annotations

import pytest

from finnmake.dataflow.layer import Layer
from finnmake.dataflow.streaming_concat import StreamingConcat, StreamingSplit
from tests.hls_library.harness import Bench, random_streams

LAYERS = [
    StreamingConcat("3,6", 3, "INT4", 5),
    StreamingConcat("1,2,5,1", 1, "UINT3"),
    StreamingSplit("6,3", 3, "INT4", 5),
    StreamingSplit("1,2,5,1", 1, "BIPOLAR", 2),
]
MORE = [
    kind(channels, simd, datatype, vectors)
    for kind in (StreamingConcat, StreamingSplit)
    for channels, simd, datatype, vectors in (
        ("4,4", 4, "BINARY", 9),
        ("4,4", 2, "INT9", 1),
        ("16,8,24", 8, "UINT2", 3),
        ("7,1", 1, "TERNARY", 4),
        ("2,2,2,2,2,2,2,2,2,2,2", 2, "INT8", 2),
        ("40,300", 10, "INT32", 2),
    )
]


def name(layer: Layer) -> str:
    return "-".join([layer.op_type, *(str(value) for value in layer.structure().values())])


@pytest.mark.parametrize("layer", LAYERS, ids=name)
def test_verilog_and_cpp_compute_what_the_layer_says_in_the_cycles_it_says(bench: Bench, layer: Layer) -> None:
    bench.check(layer, *random_streams(layer, 12))


@pytest.mark.nightly
@pytest.mark.parametrize("layer", MORE, ids=name)
def test_more_shapes(bench: Bench, layer: Layer) -> None:
    bench.check(layer, *random_streams(layer, 30, seed=1))
