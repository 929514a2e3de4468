"""Hypothesis strategies for layers with parameters, one for each layer type: shapes, types and foldings.

They are small: a simulation of many runs as long as the longest of them.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from hypothesis import strategies as st

from finnmake.dataflow.convolution_input_generator import ConvolutionInputGenerator
from finnmake.dataflow.crop import Crop
from finnmake.dataflow.depth_to_space import DepthToSpace
from finnmake.dataflow.duplicate_streams import DuplicateStreams
from finnmake.dataflow.elementwise_binary import (
    ElementwiseAdd,
    ElementwiseBinaryOperation,
    ElementwiseMul,
    ElementwiseSub,
)
from finnmake.dataflow.fm_padding import FMPadding
from finnmake.dataflow.global_acc_pool import GlobalAccPool
from finnmake.dataflow.label_select import LabelSelect
from finnmake.dataflow.layer import Layer
from finnmake.dataflow.lookup import Lookup
from finnmake.dataflow.matrix_vector_activation import MatrixVectorActivation
from finnmake.dataflow.pool import Pool
from finnmake.dataflow.requant import Requant
from finnmake.dataflow.shuffle import Shuffle
from finnmake.dataflow.streaming_concat import StreamingConcat, StreamingSplit
from finnmake.dataflow.streaming_data_width_converter import StreamingDataWidthConverter
from finnmake.dataflow.streaming_fifo import StreamingFIFO
from finnmake.dataflow.thresholding import Thresholding
from finnmake.dataflow.upsample import UpsampleNearestNeighbour
from finnmake.dataflow.vector_vector_activation import VectorVectorActivation
from finnmake.graph.datatype import DataType
from finnmake.graph.fixed_point import ROUNDINGS
from tests.hls_library.random_layers import (
    TYPES,
    depthwise,
    elementwise,
    external,
    lookup,
    random_mvau,
    random_thresholding,
    requant,
)

# Number of thresholds and an output type that has as many values and one more.
ACTIVATIONS = (
    None,
    (1, "BIPOLAR"),
    (1, "BINARY"),
    (2, "TERNARY"),
    (3, "INT2"),
    (5, "UINT3"),
    (15, "INT4"),
    (20, "UINT5"),
    (255, "UINT8"),
)
FACTORS = (*TYPES, "INT12", "UINT16")
"""Types of inputs and weights."""

NUMBERS = ("BINARY", "TERNARY", "UINT3", "INT4", "UINT8", "INT8", "INT13", "UINT17")
"""Types of two's complement."""

ELEMENTS = ("BIPOLAR", *NUMBERS, "INT32")
"""Types of elements that are moved, not computed with."""

SMALL = st.integers(1, 4)
FOLDINGS = st.tuples(SMALL, SMALL).map(lambda pair: (pair[0] * pair[1], pair[0]))
"""Channels, and how many of them are in a word."""

RAM_STYLES = st.sampled_from(("auto", "distributed", "block"))
RES_TYPES = st.sampled_from(("auto", "lut", "dsp"))
SEEDS = st.integers(0, 99)


def _text(numbers: tuple[int, ...]) -> str:
    return ",".join(map(str, numbers))


@st.composite
def mvaus(draw: st.DrawFn) -> MatrixVectorActivation:
    """Layers over shapes, foldings, types and activations."""
    simd, pe = draw(st.integers(1, 17)), draw(st.integers(1, 3))
    shape = (simd * draw(SMALL), pe * draw(SMALL))
    xnor = draw(st.booleans())
    types = ("BINARY", "BINARY") if xnor else (draw(st.sampled_from(FACTORS)), draw(st.sampled_from(FACTORS)))
    return random_mvau(
        shape,
        (simd, pe),
        types,
        draw(st.sampled_from(ACTIVATIONS)),
        xnor=xnor,
        vectors=draw(st.integers(1, 2)),
        seed=draw(SEEDS),
    )


@st.composite
def placed_mvaus(draw: st.DrawFn) -> MatrixVectorActivation:
    """Those, and over where the weights are and how products are made."""
    layer = draw(mvaus())
    mode = draw(st.sampled_from(("internal_embedded", "internal_decoupled", "external")))
    layer = replace(layer, resType=draw(RES_TYPES), ram_style=draw(RAM_STYLES))
    return external(layer) if mode == "external" else replace(layer, mem_mode=mode)


@st.composite
def vvaus(draw: st.DrawFn) -> VectorVectorActivation:
    """Layers over shapes, foldings, types, activations, and how products are made."""
    channels, pe = draw(FOLDINGS)
    rows, columns = draw(SMALL), draw(SMALL)
    taps = rows * columns
    layer = depthwise(
        channels,
        pe,
        f"{rows},{columns}",
        (draw(st.sampled_from(FACTORS)), draw(st.sampled_from(FACTORS))),
        draw(st.sampled_from(ACTIVATIONS)),
        draw(SEEDS),
        draw(st.sampled_from([simd for simd in range(1, taps + 1) if taps % simd == 0])),
    )
    dim = _text((draw(SMALL), draw(st.integers(1, 2))))
    return replace(layer, Dim=dim, resType=draw(RES_TYPES), ram_style=draw(RAM_STYLES))


@st.composite
def thresholdings(draw: st.DrawFn) -> Thresholding:
    """Layers over shapes, foldings, types and activations."""
    channels, pe = draw(FOLDINGS)
    steps, output = draw(st.sampled_from(ACTIVATIONS[1:])) or (1, "BINARY")
    layer = random_thresholding(
        channels,
        pe,
        draw(st.sampled_from(("BIPOLAR", "BINARY", "INT3", "UINT4", "INT8", "UINT8", "INT12"))),
        steps,
        output,
        shared=draw(st.booleans()),
        vectors=draw(st.integers(1, 2)),
        seed=draw(SEEDS),
    )
    return replace(layer, ram_style=draw(RAM_STYLES))


@st.composite
def sliding_windows(draw: st.DrawFn) -> ConvolutionInputGenerator:
    """Layers over windows, strides, dilations and images, of which the last rows and columns may be in no window."""
    kernel, stride = (tuple(draw(SMALL) for _ in range(2)) for _ in range(2))
    dilation = tuple(draw(st.integers(1, 3)) for _ in range(2))
    image = tuple((k - 1) * d + 1 + draw(st.integers(0, 5)) for k, d in zip(kernel, dilation, strict=True))
    parallel, (channels, simd) = draw(st.booleans()), draw(FOLDINGS)
    return ConvolutionInputGenerator(
        _text(kernel),
        channels,
        _text(image),
        _text(stride),
        _text(dilation),
        channels if parallel else simd,
        draw(st.sampled_from(ELEMENTS)),
        draw(st.booleans()),
        draw(RAM_STYLES),
        parallel,
    )


@st.composite
def paddings(draw: st.DrawFn) -> FMPadding:
    """Layers over images, borders, and what is put there."""
    image, border = (draw(SMALL), draw(SMALL)), tuple(draw(st.integers(0, 3)) for _ in range(4))
    name = draw(st.sampled_from(ELEMENTS))
    value = draw(st.integers(int(DataType[name].min()), int(DataType[name].max())).filter(DataType[name].allowed))
    return FMPadding(_text(image), _text(border), *draw(FOLDINGS), name, value)


@st.composite
def pools(draw: st.DrawFn) -> Pool:
    """Layers over windows, the largest and the average, whose shift is of any size."""
    kernel, windows = (draw(SMALL), draw(SMALL)), (draw(SMALL), draw(st.integers(1, 2)))
    (channels, pe), average = draw(FOLDINGS), draw(st.booleans())
    name = draw(st.sampled_from(NUMBERS if average else ELEMENTS))
    if not average:
        return Pool(channels, pe, _text(kernel), _text(windows), name, name)
    low, high = (int(end) * prod(kernel) for end in (DataType[name].min(), DataType[name].max()))
    shift = draw(st.integers(0, DataType.smallest_for_range(low, high).bitwidth() - 1))
    output = DataType.smallest_for_range(low >> shift, max(high >> shift, 1)).name
    return Pool(channels, pe, _text(kernel), _text(windows), name, output, "QuantAvgPool", shift)


@st.composite
def global_pools(draw: st.DrawFn) -> GlobalAccPool:
    """Layers over pixels and types."""
    name, pixels = draw(st.sampled_from(NUMBERS)), draw(st.integers(1, 9))
    low, high = (int(end) * pixels for end in (DataType[name].min(), DataType[name].max()))
    return GlobalAccPool(*draw(FOLDINGS), pixels, name, DataType.smallest_for_range(low, max(high, 1)).name)


@st.composite
def elementwise_operations(draw: st.DrawFn, kind: type[ElementwiseBinaryOperation]) -> ElementwiseBinaryOperation:
    """Layers whose second operand is a stream, a number a channel, or one for all."""
    types = ("BIPOLAR", *NUMBERS)
    channels, pe = draw(FOLDINGS)
    layer = elementwise(
        kind,
        draw(st.sampled_from(types)),
        draw(st.sampled_from(types)),
        (channels, pe),
        draw(st.sampled_from((None, 1, channels))),
        draw(st.integers(1, 3)),
    )
    return replace(layer, resType=draw(RES_TYPES)) if isinstance(layer, ElementwiseMul) else layer


@st.composite
def requants(draw: st.DrawFn) -> Requant:
    """Layers over types, shifts and roundings."""
    layer = requant(
        draw(st.sampled_from(("BIPOLAR", *NUMBERS))),
        draw(st.sampled_from(("BINARY", "INT2", "UINT4", "INT7", "UINT8", "INT16"))),
        draw(st.integers(0, 12)),
        draw(st.sampled_from(ROUNDINGS)),
        draw(FOLDINGS),
    )
    return replace(layer, resType=draw(RES_TYPES), ram_style=draw(RAM_STYLES))


@st.composite
def lookups(draw: st.DrawFn) -> Lookup:
    """Layers over tables; an index that is none of the table is the last row."""
    dim, pe = draw(FOLDINGS)
    index = draw(st.sampled_from(("UINT1", "UINT4", "UINT7")))
    return lookup(draw(st.integers(1, 40)), dim, pe, index, draw(st.sampled_from(ELEMENTS)), draw(SMALL))


@st.composite
def label_selects(draw: st.DrawFn) -> LabelSelect:
    """Layers that take one label of words of elements, or some of single ones."""
    labels, pe = draw(FOLDINGS)
    several = draw(st.integers(1, labels))
    return LabelSelect(
        labels, pe if several == 1 else 1, draw(st.sampled_from(ELEMENTS)), draw(st.sampled_from(("UINT4", "INT9"))),
        several,
    )  # fmt: skip


@st.composite
def fifos(draw: st.DrawFn) -> StreamingFIFO:
    """Layers over depths: registers, memories, and of any size of the frame."""
    element, width = draw(st.sampled_from(ELEMENTS)), draw(SMALL)
    return StreamingFIFO(element, width, draw(st.integers(1, 9)), draw(st.integers(1, 70)), draw(RAM_STYLES))


@st.composite
def width_converters(draw: st.DrawFn) -> StreamingDataWidthConverter:
    """Layers of any ratio."""
    narrow, wide = draw(st.integers(1, 13)), draw(st.integers(1, 13))
    elements = narrow * wide * draw(st.integers(1, 2))
    return StreamingDataWidthConverter(draw(st.sampled_from(ELEMENTS)), narrow, wide, elements)


@st.composite
def copies(draw: st.DrawFn) -> DuplicateStreams:
    """Layers of any fan-out."""
    fan_out, vectors = draw(st.integers(2, 7)), draw(SMALL)
    return DuplicateStreams(*draw(FOLDINGS), fan_out, draw(st.sampled_from(ELEMENTS)), vectors)


@st.composite
def channel_blocks(draw: st.DrawFn, kind: type[StreamingConcat | StreamingSplit]) -> StreamingConcat | StreamingSplit:
    """Layers of two streams or more, of channels of any number."""
    simd = draw(SMALL)
    channels = tuple(simd * size for size in draw(st.lists(SMALL, min_size=2, max_size=5)))
    return kind(_text(channels), simd, draw(st.sampled_from(ELEMENTS)), draw(SMALL))


@st.composite
def upsamplings(draw: st.DrawFn) -> UpsampleNearestNeighbour:
    """Layers of whole factors, of their own down and to the right."""
    rows, columns = draw(SMALL), draw(SMALL)
    larger = rows * draw(st.integers(1, 3)), columns * draw(st.integers(1, 3))
    return UpsampleNearestNeighbour(rows, columns, *larger, *draw(FOLDINGS), draw(st.sampled_from(ELEMENTS)))


@st.composite
def depth_to_spaces(draw: st.DrawFn) -> DepthToSpace:
    """Layers of either order of channels."""
    size, mode, (channels, simd) = draw(st.integers(1, 3)), draw(st.sampled_from(("DCR", "CRD"))), draw(FOLDINGS)
    if mode == "CRD":
        simd = 1
    element = draw(st.sampled_from(ELEMENTS))
    return DepthToSpace(draw(SMALL), draw(SMALL), channels * size * size, size, simd, element, mode)


@st.composite
def shuffles(draw: st.DrawFn) -> Shuffle:
    """Layers of any order of up to four dimensions."""
    shape = tuple(draw(st.lists(SMALL, min_size=1, max_size=4)))
    order = tuple(draw(st.permutations(range(len(shape)))))
    in_place = order[-1] == len(shape) - 1
    simd = draw(st.sampled_from([d for d in range(1, shape[-1] + 1) if shape[-1] % d == 0 and (in_place or d == 1)]))
    return Shuffle(_text(shape), _text(order), simd, draw(st.sampled_from(ELEMENTS)))


@st.composite
def crops(draw: st.DrawFn) -> Crop:
    """Layers that leave a pixel or more."""
    north, east, south, west = (draw(st.integers(0, 3)) for _ in range(4))
    size = north + south + draw(SMALL), east + west + draw(SMALL)
    return Crop(*size, *draw(FOLDINGS), draw(st.sampled_from(ELEMENTS)), north, east, south, west)


STRATEGIES: dict[str, st.SearchStrategy[Layer]] = {
    "MatrixVectorActivation": placed_mvaus(),
    "VectorVectorActivation": vvaus(),
    "Thresholding": thresholdings(),
    "ConvolutionInputGenerator": sliding_windows(),
    "FMPadding": paddings(),
    "Pool": pools(),
    "GlobalAccPool": global_pools(),
    "ElementwiseAdd": elementwise_operations(ElementwiseAdd),
    "ElementwiseSub": elementwise_operations(ElementwiseSub),
    "ElementwiseMul": elementwise_operations(ElementwiseMul),
    "Requant": requants(),
    "Lookup": lookups(),
    "LabelSelect": label_selects(),
    "StreamingFIFO": fifos(),
    "StreamingDataWidthConverter": width_converters(),
    "DuplicateStreams": copies(),
    "StreamingConcat": channel_blocks(StreamingConcat),
    "StreamingSplit": channel_blocks(StreamingSplit),
    "UpsampleNearestNeighbour": upsamplings(),
    "DepthToSpace": depth_to_spaces(),
    "Shuffle": shuffles(),
    "Crop": crops(),
}
"""By op type."""
