"""LabelSelect, StreamingFIFO and StreamingDataWidthConverter as layers: checks, streams, cycles, reference."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from finnmake.dataflow.label_select import LabelSelect
from finnmake.dataflow.layer import Layer
from finnmake.dataflow.streaming_data_width_converter import StreamingDataWidthConverter
from finnmake.dataflow.streaming_fifo import StreamingFIFO
from finnmake.errors import FinnmakeError, FoldingError, ModelError


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda: LabelSelect(10, 3, "INT8", "UINT4"), FoldingError, ["PE = 3", "1, 2, 5, 10"]),
        (lambda: LabelSelect(10, 0, "INT8", "UINT4"), FoldingError, ["PE = 0", "1, 2, 5, 10"]),
        (lambda: LabelSelect(10, 1, "INT8", "UINT4", K=11), ModelError, ["K = 11", "10 labels"]),
        (lambda: LabelSelect(10, 2, "INT8", "UINT4", K=3), FoldingError, ["PE = 2", "K = 3", "Legal values of PE: 1"]),
        (lambda: LabelSelect(10, 1, "INT8", "UINT3"), ModelError, ["UINT3", "index 9"]),
        (lambda: LabelSelect(10, 1, "FLOAT32", "UINT4"), ModelError, ["FLOAT32"]),
        (lambda: StreamingFIFO("INT8", 1, 4, 0), FoldingError, ["depth = 0"]),
        (lambda: StreamingFIFO("INT8", 1, 4, 2, "tape"), FoldingError, ["tape", "auto, distributed, block, ultra"]),
        (lambda: StreamingDataWidthConverter("INT8", 5, 4, 12), FoldingError, ["elements_in = 5", "1, 2, 3, 4, 6, 12"]),
        (lambda: StreamingDataWidthConverter("INT8", 4, 0, 12), FoldingError, ["elements_out = 0"]),
    ],
)
def test_an_illegal_layer_is_refused_with_the_value_and_the_legal_ones(
    make: Callable[[], Layer], kind: type[FinnmakeError], words: list[str]
) -> None:
    with pytest.raises(kind) as caught:
        make()
    for word in words:
        assert word in caught.value.text


def test_a_converter_works_in_units_of_the_common_factor() -> None:
    layer = StreamingDataWidthConverter("UINT2", 28, 49, 784)
    assert layer.unit == 7
    assert layer.verilog_parameters() == {"UNIT_WIDTH": 14, "UNITS_IN": 4, "UNITS_OUT": 7}
    assert (layer.input_stream().width, layer.output_stream().width) == (56, 98)
    assert (layer.interval_cycles(), layer.first_output_latency()) == (28, 2)


@pytest.mark.parametrize(
    ("depth", "style", "implementation"),
    [
        (1, "auto", "registers"),
        (4, "block", "registers"),
        (5, "auto", "distributed"),
        (5, "block", "block"),
        (1024, "distributed", "distributed"),
        (1024, "auto", "block"),
    ],
)
def test_what_holds_the_words_of_a_fifo(depth: int, style: str, implementation: str) -> None:
    assert StreamingFIFO("INT8", 2, 16, depth, style).implementation() == implementation


def test_label_select_finds_the_first_maximum() -> None:
    layer = LabelSelect(4, 2, "INT4", "UINT2")
    frames = np.array([[-8, -8, -8, -8], [1, 3, 3, 2], [-1, -2, -1, 0]])
    assert layer.execute(frames).tolist() == [[0], [1], [3]]
    assert (layer.interval_cycles(), layer.first_output_latency()) == (2, 3)


def test_equal_layers_have_one_core_and_others_have_another() -> None:
    cores = {StreamingFIFO("INT8", 2, 16, depth).core_name() for depth in (2, 3, 2)}
    assert len(cores) == 2
