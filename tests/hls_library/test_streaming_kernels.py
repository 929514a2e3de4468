"""LabelSelect, StreamingFIFO and StreamingDataWidthConverter: Verilog and C++ against the layer, cycles as stated."""

from __future__ import annotations

import numpy as np
import pytest

from finnmake.dataflow.label_select import LabelSelect
from finnmake.dataflow.layer import Layer
from finnmake.dataflow.streaming_data_width_converter import StreamingDataWidthConverter
from finnmake.dataflow.streaming_fifo import StreamingFIFO
from finnmake.errors import VerificationError
from tests.hls_library.harness import Bench, random_frames

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
MORE = [
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


def name(layer: Layer) -> str:
    return "-".join([layer.op_type, *(str(value) for value in layer.structure().values())])


@pytest.mark.parametrize("layer", [*FIFOS, *CONVERTERS, *SELECTORS], ids=name)
def test_verilog_computes_what_the_layer_says_in_the_cycles_it_says(bench: Bench, layer: Layer) -> None:
    bench.lint(layer)
    bench.check_rtl(layer, random_frames(layer, 24))


@pytest.mark.parametrize("layer", [FIFOS[1], *CONVERTERS[:2], *SELECTORS[:2], SELECTORS[3]], ids=name)
def test_cpp_computes_what_the_layer_says(bench: Bench, layer: Layer) -> None:
    bench.check_cpp(layer, random_frames(layer, 24))


@pytest.mark.nightly
@pytest.mark.parametrize("layer", [*MORE, *FIFOS, *CONVERTERS, *SELECTORS], ids=name)
def test_more_shapes(bench: Bench, layer: Layer) -> None:
    bench.check(layer, random_frames(layer, 40, seed=1))


@pytest.mark.parametrize("layer", FIFOS, ids=name)
def test_a_fifo_holds_its_depth_and_not_one_word_more(bench: Bench, layer: StreamingFIFO) -> None:
    words = np.zeros((layer.depth + 1, (layer.input_stream().width + 7) // 8), dtype=np.uint8)
    with bench.rtl(layer) as simulation:
        simulation.run(words[: layer.depth], 0, max_idle_cycles=50)
        with pytest.raises(VerificationError, match=f"{layer.depth} of {layer.depth + 1} input words were taken"):
            simulation.run(words, 0, max_idle_cycles=50)


def test_among_equal_maxima_the_lowest_index_wins(bench: Bench) -> None:
    layer = SELECTORS[1]
    frames = np.full((8, layer.Labels), -8, dtype=np.int64)
    for index, frame in enumerate(frames[1:], start=1):
        frame[[index, index + 3, 14]] = index - 8
    assert layer.execute(frames).ravel().tolist() == [0, *range(1, 8)]
    bench.check_rtl(layer, frames)
    bench.check_cpp(layer, frames)
