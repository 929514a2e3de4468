"""What is wrong with one core of a bundle is found, and said with its name."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from finnmake.dataflow.crop import Crop
from finnmake.dataflow.layer import IntegerArray, Layer, Stream
from finnmake.dataflow.streaming_fifo import StreamingFIFO
from tests.hls_library.bundle import Bundle, bundles
from tests.hls_library.harness import Bench, layer_name, random_streams

RIGHT = Crop(3, 4, 2, 2, "INT3", 1, 0, 0, 1)
WRONG = (3, 3, 2, 1, "INT4", 0, 1, 1, 0)
QUEUE = StreamingFIFO("INT5", 1, 6, 3)


class Other(Crop):
    """Says that numbers are other ones than they are."""

    def execute(self, frames: IntegerArray) -> IntegerArray:
        return super().execute(frames) ^ 1


class Later(Crop):
    """Says that a word leaves later than it does."""

    def first_output_latency(self) -> int:
        return super().first_output_latency() + 1


class Slower(Crop):
    """Says that a frame takes longer than it does."""

    def interval_cycles(self) -> int:
        return super().interval_cycles() + 1


class More(Crop):
    """Says that there are more words than there are."""

    def output_stream(self) -> Stream:
        stream = super().output_stream()
        return replace(stream, words_per_frame=stream.words_per_frame + 1)


class Fewer(Crop):
    """Says that there are fewer words than there are."""

    def output_stream(self) -> Stream:
        stream = super().output_stream()
        return replace(stream, words_per_frame=stream.words_per_frame - 1)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Other, "not equal"),
        (Later, "comes after 1 cycles, not 2"),
        (Slower, r"a frame in \[18 .* cycles, not 19"),
        (More, "words came"),
        (Fewer, "makes more than"),
    ],
)
def test_the_core_that_is_wrong_is_named(bench: Bench, kind: type[Crop], text: str) -> None:
    wrong = kind(*WRONG)
    bundle = Bundle(bench, (QUEUE, RIGHT, wrong))
    frames = [random_streams(layer, 8) for layer in bundle.layers]
    with pytest.raises(AssertionError, match=re.escape(layer_name(wrong))) as failure:
        bundle.check_rtl(frames)
    assert re.search(text, str(failure.value), re.IGNORECASE)
    assert layer_name(RIGHT) not in str(failure.value)


def test_the_cpp_that_is_wrong_is_named(bench: Bench) -> None:
    wrong = Other(*WRONG)
    bundle = Bundle(bench, (QUEUE, RIGHT, wrong))
    with pytest.raises(AssertionError, match=re.escape(layer_name(wrong))):
        bundle.check_cpp([random_streams(layer, 8) for layer in bundle.layers])


def test_bundles_hold_each_layer_once() -> None:
    layers: list[Layer] = [StreamingFIFO("INT2", 1, 1, depth) for depth in range(1, 31)]
    made = bundles(layers, 12)
    assert [len(bundle) for bundle in made] == [10, 10, 10]
    assert sorted(layer_name(layer) for bundle in made for layer in bundle) == sorted(map(layer_name, layers))
