"""The fixed grid of layers that the kernels are tested with: what each of them can do, small, and more shapes of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from finnmake.dataflow.convolution_input_generator import ConvolutionInputGenerator
from finnmake.dataflow.crop import Crop
from finnmake.dataflow.depth_to_space import DepthToSpace
from finnmake.dataflow.duplicate_streams import DuplicateStreams
from finnmake.dataflow.elementwise_binary import ElementwiseAdd, ElementwiseMul, ElementwiseSub
from finnmake.dataflow.fm_padding import FMPadding
from finnmake.dataflow.global_acc_pool import GlobalAccPool
from finnmake.dataflow.label_select import LabelSelect
from finnmake.dataflow.layer import Layer
from finnmake.dataflow.pool import Pool
from finnmake.dataflow.shuffle import Shuffle
from finnmake.dataflow.streaming_concat import StreamingConcat, StreamingSplit
from finnmake.dataflow.streaming_data_width_converter import StreamingDataWidthConverter
from finnmake.dataflow.streaming_fifo import StreamingFIFO
from finnmake.dataflow.upsample import UpsampleNearestNeighbour
from tests.hls_library.random_layers import (
    MVAU_GRID,
    THRESHOLDING_GRID,
    TYPES,
    depthwise,
    elementwise,
    external,
    grid_mvau,
    grid_thresholding,
    lookup,
    random_mvau,
    requant,
)

# -- sums of products, and thresholds ---------------------------------------------------------------------------------

HARD_MULTIPLIERS = {
    "odd": replace(random_mvau((12, 9), (3, 3), ("INT4", "INT4"), (15, "INT4")), resType="dsp"),
    "overlapping": replace(random_mvau((16, 4), (4, 2), ("UINT8", "INT8"), (7, "UINT3")), resType="dsp"),
    "just_apart": replace(random_mvau((6, 4), (2, 4), ("INT8", "INT4")), resType="dsp"),
    "just_overlapping": replace(random_mvau((6, 4), (2, 4), ("INT8", "INT5")), resType="dsp"),
    "signs": replace(random_mvau((6, 4), (3, 2), ("BIPOLAR", "TERNARY")), resType="dsp"),
    "bits_stay_counted": replace(random_mvau((7, 4), (7, 2), ("BIPOLAR", "BIPOLAR")), resType="dsp"),
    "one_output": replace(random_mvau((8, 3), (4, 1), ("INT2", "INT2")), resType="dsp"),
    "depthwise": replace(depthwise(4, 2, "3,3", ("INT2", "INT2"), (3, "INT2"), simd=3), resType="dsp"),
}
STREAMED = [
    *(external(grid_mvau(name)) for name in ("ternary", "several_vectors", "unfolded")),
    external(replace(random_mvau((6, 4), (3, 2), ("INT4", "INT4")), resType="dsp")),
    *(replace(grid_mvau(name), mem_mode="internal_decoupled") for name in ("ternary", "several_vectors", "one_by_one")),
]
WIDE = [
    random_mvau((8, 4), (4, 2), ("UINT16", "INT9"), (7, "UINT3"), vectors=2),
    # Two products of so many bits share no multiplier.
    replace(random_mvau((6, 4), (3, 4), ("INT16", "INT16")), resType="dsp"),
]
MATRICES: list[Layer] = [
    *(grid_mvau(name) for name in MVAU_GRID),
    *(grid_thresholding(name) for name in THRESHOLDING_GRID),
    *HARD_MULTIPLIERS.values(),
    *STREAMED,
    *WIDE,
]
MORE_MATRICES: list[Layer] = [
    *(external(grid_mvau(name, seed=1)) for name in MVAU_GRID),
    *(replace(grid_mvau(name, seed=1), mem_mode="internal_decoupled") for name in MVAU_GRID),
    *(replace(grid_mvau(name, seed=1), resType=style) for name in MVAU_GRID for style in ("lut", "dsp")),
    *(replace(grid_mvau(name, seed=1), ram_style="block") for name in MVAU_GRID),
    *(
        replace(grid_thresholding(name, seed=1), ram_style=s)
        for name in THRESHOLDING_GRID
        for s in ("distributed", "block")
    ),
]

# -- windows ----------------------------------------------------------------------------------------------------------

WINDOWS = [
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


MORE_WINDOWS = [
    *(_random_window(seed) for seed in range(120)),
    *(_random_window(seed, parallel=True) for seed in range(200, 240)),
    *(
        FMPadding(image, padding, 3 * simd, simd, "INT3")
        for image in ("1,1", "1,7", "5,2")
        for padding in ("0,0,0,0", "1,1,1,1", "3,0,0,2", "0,2,1,0")
        for simd in (1, 3)
    ),
]

WINDOW_ARITHMETIC = [
    depthwise(4, 2, "3,3", ("UINT4", "INT4"), (15, "UINT4")),
    depthwise(6, 3, "1,3", ("INT3", "BIPOLAR")),
    depthwise(4, 2, "3,3", ("INT4", "INT4"), (15, "INT4"), simd=3),
    depthwise(2, 1, "2,3", ("UINT2", "TERNARY"), (5, "UINT3"), simd=6),
    depthwise(4, 2, "3,3", ("UINT2", "BIPOLAR"), (3, "UINT2"), simd=3),
    depthwise(4, 2, "3,3", ("TERNARY", "BIPOLAR"), (2, "TERNARY"), simd=3),
    depthwise(3, 3, "2,2", ("BIPOLAR", "BIPOLAR"), (1, "BIPOLAR"), simd=2),
    depthwise(2, 1, "1,1", ("UINT2", "INT2"), (3, "INT2")),
    Pool(4, 2, "2,2", "3,2", "INT4", "INT4"),
    Pool(4, 2, "2,3", "2,1", "INT4", "INT4", "QuantAvgPool", 3),
    GlobalAccPool(6, 2, 7, "INT4", "INT7"),
]
MORE_WINDOW_ARITHMETIC = [
    GlobalAccPool(2, 2, 1, "UINT3", "UINT5"),
    Pool(2, 2, "3,1", "2,2", "BIPOLAR", "BIPOLAR"),
    *(
        depthwise(3 * pe, pe, kernel, (source, weight), activation, seed)
        for seed, (source, weight) in enumerate((s, w) for s in TYPES for w in TYPES)
        for pe, kernel, activation in ((1, "2,2", None), (2, "3,3", (3, "INT2")))
    ),
    *(
        depthwise(2 * pe, pe, kernel, types, activation, simd=simd)
        for types in (("UINT4", "INT4"), ("INT8", "INT8"), ("BIPOLAR", "INT3"), ("BINARY", "BINARY"))
        for pe, kernel, simd in ((1, "3,3", 9), (3, "3,2", 2), (2, "5,5", 5), (4, "1,7", 7))
        for activation in (None, (1, "BIPOLAR"), (20, "UINT5"))
    ),
    depthwise(4, 4, "5,5", ("INT8", "INT8"), (255, "UINT8")),
    depthwise(4, 1, "1,1", ("BIPOLAR", "BIPOLAR"), (1, "BIPOLAR")),
    *(
        Pool(3 * pe, pe, kernel, "2,3", datatype, datatype)
        for pe in (1, 4)
        for kernel in ("1,1", "1,2", "3,3")
        for datatype in ("BINARY", "BIPOLAR", "TERNARY", "UINT4", "INT8", "INT32")
    ),
    *(
        Pool(4, 2, "7,7", "1,1", datatype, output, "QuantAvgPool", shift)
        for datatype, output, shift in (("UINT4", "UINT4", 6), ("INT4", "INT10", 0), ("INT8", "INT8", 6))
    ),
    *(
        GlobalAccPool(folds * 3, 3, pixels, datatype, output)
        for folds in (1, 2, 5)
        for pixels in (1, 2, 49)
        for datatype, output in (("UINT4", "UINT10"), ("TERNARY", "INT8"), ("INT8", "INT14"))
    ),
]

# -- element by element -----------------------------------------------------------------------------------------------

ARITHMETIC: list[Layer] = [
    elementwise(ElementwiseAdd, "INT4", "UINT6"),
    elementwise(ElementwiseSub, "UINT3", "UINT5", constants=6, vectors=2),
    elementwise(ElementwiseMul, "INT5", "BIPOLAR", (4, 1)),
    elementwise(ElementwiseMul, "UINT8", "INT8", (4, 4), constants=1),
    requant("INT8", "UINT4", 6, "HALF_EVEN"),
    requant("UINT5", "INT6", 3, "HALF_UP", (3, 1)),
    lookup(11, 6, 2, "UINT4", "INT5", 3),
]
TYPE_PAIRS = (("UINT8", "UINT8"), ("INT2", "INT9"), ("BIPOLAR", "TERNARY"), ("BINARY", "INT31"), ("INT16", "UINT1"))
MORE_ARITHMETIC: list[Layer] = [
    elementwise(kind, lhs, rhs, folding, constants, 2)
    for kind in (ElementwiseAdd, ElementwiseSub, ElementwiseMul)
    for (lhs, rhs), folding, constants in zip(
        TYPE_PAIRS, ((8, 8), (40, 1), (1, 1), (12, 3), (64, 2)), (None, 40, None, 1, 64), strict=True
    )
]
MORE_ARITHMETIC += [
    requant(source, output, shift, rounding, folding)
    for rounding in ("FLOOR", "HALF_UP", "HALF_EVEN")
    for source, output, shift, folding in (
        ("INT4", "INT2", 1, (4, 4)),
        ("UINT8", "UINT8", 0, (40, 1)),
        ("INT16", "INT32", 2, (3, 1)),
        ("BIPOLAR", "BINARY", 4, (1, 1)),
        ("INT12", "UINT8", 9, (96, 8)),
    )
]
MORE_ARITHMETIC += [
    lookup(1, 1, 1, "UINT1", "BINARY"),
    lookup(256, 4, 4, "UINT8", "INT8", 5),
    lookup(100, 12, 1, "UINT7", "BIPOLAR", 2),
    lookup(3, 5, 5, "UINT8", "UINT16", 4),
]

# -- words that are kept, repeated, put in order ----------------------------------------------------------------------

STREAM_ORDER = [
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
MORE_STREAM_ORDER = [
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

FIFOS = [
    StreamingFIFO("INT3", 5, 6, 1),
    StreamingFIFO("INT3", 5, 6, 2),
    StreamingFIFO("INT3", 5, 6, 7, "distributed"),
    StreamingFIFO("UINT8", 9, 6, 600, "auto"),
]
CONVERTERS = [
    StreamingDataWidthConverter("UINT2", 28, 49, 784),
    StreamingDataWidthConverter("INT2", 49, 28, 784),
    StreamingDataWidthConverter("BIPOLAR", 1, 8, 64),
    StreamingDataWidthConverter("INT9", 10, 1, 10),
]
SELECTORS = [
    LabelSelect(10, 1, "INT9", "UINT4"),
    LabelSelect(15, 5, "INT4", "INT8"),
    LabelSelect(10, 10, "UINT3", "UINT4"),
    LabelSelect(10, 1, "INT4", "UINT4", K=4),
]
MORE_STREAMING = [
    *(StreamingFIFO("INT4", 3, 5, depth, style) for depth in (3, 4, 5, 8, 33) for style in ("distributed", "block")),
    StreamingFIFO("UINT1", 1, 3, 2000, "block"),
    StreamingFIFO("INT8", 100, 3, 16, "distributed"),
    StreamingDataWidthConverter("INT5", 6, 6, 12),
    *(StreamingDataWidthConverter("INT3", a, b, 5 * a * b) for a in (1, 2, 3, 5, 8, 13) for b in (1, 2, 3, 5, 8, 13)),
    LabelSelect(1, 1, "UINT1", "BINARY"),
    LabelSelect(12, 3, "BIPOLAR", "UINT4"),
    LabelSelect(16, 16, "INT32", "UINT4"),
    LabelSelect(33, 11, "BINARY", "UINT6"),
    LabelSelect(1000, 8, "INT16", "UINT10"),
    LabelSelect(3, 3, "INT64", "INT3"),
    LabelSelect(5, 1, "UINT2", "UINT8", K=5),
    LabelSelect(2, 1, "BINARY", "BINARY", K=2),
    LabelSelect(100, 1, "INT16", "UINT7", K=10),
]

GRID: list[Layer] = [
    *MATRICES,
    *WINDOWS,
    *WINDOW_ARITHMETIC,
    *ARITHMETIC,
    *STREAM_ORDER,
    *FIFOS,
    *CONVERTERS,
    *SELECTORS,
]
"""Runs with every test."""

LARGER_GRID: list[Layer] = [
    *MORE_MATRICES,
    *MORE_WINDOWS,
    *MORE_WINDOW_ARITHMETIC,
    *MORE_ARITHMETIC,
    *MORE_STREAM_ORDER,
    *MORE_STREAMING,
]
"""Runs nightly, beside that."""
