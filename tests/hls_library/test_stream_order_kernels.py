"""Kernels that order, repeat, copy and drop words of streams: Verilog and C++ against the layer, cycles as stated."""

from __future__ import annotations

import pytest

from finnmake.dataflow.crop import Crop
from finnmake.dataflow.depth_to_space import DepthToSpace
from finnmake.dataflow.duplicate_streams import DuplicateStreams
from finnmake.dataflow.layer import Layer
from finnmake.dataflow.shuffle import Shuffle
from finnmake.dataflow.streaming_concat import StreamingConcat, StreamingSplit
from finnmake.dataflow.upsample import UpsampleNearestNeighbour
from tests.hls_library.harness import Bench, random_streams

LAYERS = [
    StreamingConcat("3,6", 3, "INT4", 5),
    StreamingConcat("1,2,5,1", 1, "UINT3"),
    StreamingSplit("6,3", 3, "INT4", 5),
    StreamingSplit("1,2,5,1", 1, "BIPOLAR", 2),
    DuplicateStreams(6, 2, 2, "INT4", 3),
    DuplicateStreams(5, 5, 5, "BIPOLAR"),
    UpsampleNearestNeighbour(3, 4, 6, 12, 4, 2, "INT4"),
    DepthToSpace(2, 3, 12, 2, 1, "UINT4", "CRD"),
    DepthToSpace(2, 3, 16, 2, 2, "INT3", "DCR"),
    Shuffle("3,4,6", "1,0,2", 2, "INT5"),
    Shuffle("2,3,5", "0,2,1", 1, "BINARY"),
    Crop(5, 4, 6, 2, "INT4", 1, 1, 2, 0),
]
MORE = [
    DuplicateStreams(1, 1, 2, "UINT1"),
    DuplicateStreams(8, 1, 3, "INT33", 4),
    DuplicateStreams(64, 64, 11, "UINT2", 2),
    *(
        UpsampleNearestNeighbour(h, w, h * a, w * b, 6, simd, "UINT3")
        for h, w, a, b, simd in ((1, 1, 1, 1, 6), (1, 1, 3, 2, 2), (4, 5, 2, 2, 6), (7, 2, 1, 3, 3), (2, 30, 4, 1, 1))
    ),
    *(
        DepthToSpace(h, w, 2 * size * size, size, simd, "INT8", mode)
        for h, w, size, simd, mode in (
            (1, 1, 1, 2, "CRD"),
            (3, 2, 3, 1, "CRD"),
            (3, 2, 3, 2, "DCR"),
            (2, 9, 4, 1, "DCR"),
        )
    ),
    *(
        Shuffle(shape, perm, simd, "INT7")
        for shape, perm, simd in (
            ("5", "0", 5),
            ("1,1", "1,0", 1),
            ("7,8", "1,0", 1),
            ("2,3,4,8", "2,0,1,3", 4),
            ("4,4,4,4", "3,2,1,0", 1),
            ("6,3,2", "0,1,2", 1),
            ("64,9", "1,0", 1),
        )
    ),
    *(
        Crop(h, w, 4, simd, "BIPOLAR", north, east, south, west)
        for h, w, simd, north, east, south, west in (
            (1, 1, 1, 0, 0, 0, 0),
            (6, 7, 4, 0, 0, 0, 0),
            (6, 7, 2, 5, 0, 0, 6),
            (6, 7, 4, 0, 6, 5, 0),
            (9, 3, 1, 2, 1, 3, 1),
            (3, 8, 4, 1, 3, 1, 4),
        )
    ),
    *(
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
    ),
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
