"""Graphs of layers whose timing is compared with stitched RTL: dense and convolutional, chains and residual blocks."""

from __future__ import annotations

from dataclasses import dataclass, field

from finnmake.dataflow.convolution_input_generator import ConvolutionInputGenerator
from finnmake.dataflow.duplicate_streams import DuplicateStreams
from finnmake.dataflow.elementwise_binary import ElementwiseAdd
from finnmake.dataflow.fm_padding import FMPadding
from finnmake.dataflow.global_acc_pool import GlobalAccPool
from finnmake.dataflow.layer import Layer
from finnmake.dataflow.pool import Pool
from finnmake.dataflow.stream_graph import INPUT, Source
from finnmake.dataflow.streaming_concat import StreamingConcat
from finnmake.dataflow.streaming_data_width_converter import StreamingDataWidthConverter
from tests.hls_library.fifo_graphs import Graph
from tests.hls_library.random_layers import random_mvau, random_thresholding


@dataclass
class GraphWriter:
    """Adds layers behind each other; every method gives the place of a stream. Elements are UINT4, images square.

    Attributes:
        size: rows and columns of the image at the input.
        channels: of the input.
    """

    size: int
    channels: int
    layers: list[Layer] = field(default_factory=list)
    sources: list[tuple[Source, ...]] = field(default_factory=list)
    _images: dict[Source, tuple[int, int]] = field(default_factory=dict)

    def add(self, layer: Layer, *sources: Source) -> Source:
        """Any layer; width converters in front of it where words differ."""
        converted = [
            self._converted(source, stream.elements_per_word)
            for source, stream in zip(sources, layer.input_streams(), strict=True)
        ]
        self.layers.append(layer)
        self.sources.append(tuple(converted))
        return len(self.layers) - 1, 0

    def _converted(self, source: Source, elements: int) -> Source:
        if source == INPUT:
            return source
        stream = self.layers[source[0]].output_streams()[source[1]]
        if stream.elements_per_word == elements:
            return source
        self.layers.append(
            StreamingDataWidthConverter(
                stream.datatype.name, stream.elements_per_word, elements, stream.elements_per_frame
            )
        )
        self.sources.append((source,))
        return len(self.layers) - 1, 0

    def image(self, source: Source) -> tuple[int, int]:
        """Rows and channels of what a stream carries."""
        return self._images.get(source, (self.size, self.channels))

    def _of(self, result: Source, size: int, channels: int) -> Source:
        self._images[result] = (size, channels)
        return result

    def conv(self, x: Source, channels: int, simd: int, pe: int, kernel: int = 3, stride: int = 1) -> Source:
        """A convolution with thresholds; padded where the kernel is larger than a pixel."""
        size, before = self.image(x)
        pad = kernel // 2
        if pad:
            x = self.add(FMPadding(f"{size},{size}", f"{pad},{pad},{pad},{pad}", before, simd, "UINT4"), x)
        padded, after = size + 2 * pad, (size + 2 * pad - kernel) // stride + 1
        if kernel > 1 or stride > 1:
            window, step = f"{kernel},{kernel}", f"{stride},{stride}"
            x = self.add(ConvolutionInputGenerator(window, before, f"{padded},{padded}", step, "1,1", simd, "UINT4"), x)
        shape = (kernel * kernel * before, channels)
        layer = random_mvau(shape, (simd, pe), ("UINT4", "INT2"), (15, "UINT4"), vectors=after * after)
        return self._of(self.add(layer, x), after, channels)

    def max_pool(self, x: Source, simd: int) -> Source:
        """Windows of two by two, without overlap."""
        size, channels = self.image(x)
        x = self.add(ConvolutionInputGenerator("2,2", channels, f"{size},{size}", "2,2", "1,1", simd, "UINT4", True), x)
        half = size // 2
        return self._of(self.add(Pool(channels, simd, "2,2", f"{half},{half}", "UINT4", "UINT4"), x), half, channels)

    def fork(self, x: Source, pe: int, copies: int = 2) -> list[Source]:
        """Copies of a stream."""
        size, channels = self.image(x)
        position, _ = self.add(DuplicateStreams(channels, pe, copies, "UINT4", size * size), x)
        return [self._of((position, copy), size, channels) for copy in range(copies)]

    def join(self, a: Source, b: Source, pe: int) -> Source:
        """The sum of two streams, with thresholds."""
        size, channels = self.image(a)
        layer = ElementwiseAdd(channels, pe, "UINT4", "UINT4", "UINT5", numInputVectors=size * size)
        x = self.add(layer, a, b)
        thresholds = random_thresholding(channels, pe, "UINT5", 15, "UINT4", vectors=size * size)
        return self._of(self.add(thresholds, x), size, channels)

    def concat(self, a: Source, b: Source, simd: int) -> Source:
        """The channels of two streams, one behind the other."""
        size, channels = self.image(a)
        more = self.image(b)[1]
        x = self.add(StreamingConcat(f"{channels},{more}", simd, "UINT4", size * size), a, b)
        return self._of(x, size, channels + more)

    def dense(self, x: Source, outputs: int, simd: int, pe: int) -> Source:
        """The classifier: sums of each channel, thresholds, a product."""
        size, channels = self.image(x)
        x = self.add(GlobalAccPool(channels, simd, size * size, "UINT4", "UINT10"), x)
        x = self.add(random_thresholding(channels, simd, "UINT10", 15, "UINT4"), x)
        return self.add(random_mvau((channels, outputs), (simd, pe), ("UINT4", "INT2")), x)

    def graph(self) -> Graph:
        """What has been written."""
        return Graph(tuple(self.layers), tuple(self.sources))


def conv_chain() -> Graph:
    """Two convolutions, a pooling in between, a classifier."""
    w = GraphWriter(8, 2)
    x = w.conv(INPUT, 4, simd=2, pe=2)
    x = w.max_pool(x, simd=2)
    x = w.conv(x, 8, simd=4, pe=2)
    w.dense(x, 4, simd=2, pe=1)
    return w.graph()


def uneven_conv_chain() -> Graph:
    """The slowest layer is in the middle; strides, a convolution of single pixels, words that must be converted."""
    w = GraphWriter(9, 3)
    x = w.conv(INPUT, 6, simd=3, pe=6)
    x = w.conv(x, 4, simd=2, pe=1, stride=2)
    x = w.conv(x, 8, simd=4, pe=4, kernel=1)
    w.dense(x, 5, simd=4, pe=5)
    return w.graph()


def residual_conv() -> Graph:
    """A block with a short cut around two convolutions, and one whose short cut is a convolution with a stride."""
    w = GraphWriter(8, 4)
    x = w.conv(INPUT, 4, simd=4, pe=2)
    long, short = w.fork(x, pe=2)
    x = w.conv(w.conv(long, 4, simd=4, pe=2), 4, simd=4, pe=2)
    long, short = w.fork(w.join(short, x, pe=2), pe=2)
    x = w.conv(w.conv(long, 8, simd=4, pe=2, stride=2), 8, simd=8, pe=4)
    x = w.join(w.conv(short, 8, simd=2, pe=2, kernel=1, stride=2), x, pe=4)
    w.dense(x, 4, simd=4, pe=2)
    return w.graph()


def inception() -> Graph:
    """Three branches of different lengths, two of them joined one behind the other."""
    w = GraphWriter(6, 4)
    a, b, c = w.fork(w.conv(INPUT, 4, simd=2, pe=4), pe=4, copies=3)
    x = w.concat(w.conv(a, 4, simd=4, pe=1, kernel=1), w.conv(w.conv(b, 4, simd=4, pe=4), 4, simd=4, pe=4), simd=2)
    y = w.conv(c, 8, simd=2, pe=8)
    w.dense(w.join(x, y, pe=4), 4, simd=8, pe=1)
    return w.graph()
