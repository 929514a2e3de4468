"""Measured schedules against RTL: cores and whole graphs to the cycle, FIFO depths as small as can be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from finnmake.dataflow.convolution_input_generator import ConvolutionInputGenerator
from finnmake.dataflow.fifo_sizing import MINIMUM_DEPTH, Edge
from finnmake.dataflow.insert_width_converters import InsertDWC
from finnmake.dataflow.label_select import LabelSelect
from finnmake.dataflow.layer import Layer
from finnmake.dataflow.set_folding import SetFolding
from finnmake.dataflow.stream_graph import stream_graph
from finnmake.dataflow.streaming_data_width_converter import StreamingDataWidthConverter
from finnmake.errors import VerificationError
from finnmake.runtime.fifo_depths import FifoSizing
from finnmake.runtime.stream_timing import StreamTiming
from tests.hls_library.fifo_graphs import Graph, chain, run_linked, schedules
from tests.hls_library.grids import GRID
from tests.hls_library.harness import Bench
from tests.hls_library.random_layers import (
    THRESHOLDING_GRID,
    grid_mvau,
    grid_thresholding,
    random_mvau,
)
from tests.hls_library.test_residual import layers, residual_mlp
from tests.hls_library.timing_graphs import conv_chain, inception, residual_conv, uneven_conv_chain


def residual_dense(blocks: int = 2) -> Graph:
    """Dense residual blocks."""
    graph = stream_graph(layers(residual_mlp(blocks)).transform(SetFolding(16)).transform(InsertDWC()))
    return Graph(graph.layers, graph.sources)


def name(layer: Layer) -> str:
    return "-".join([layer.op_type, *(str(value) for value in layer.structure().values())])


def check_alone(bench: Bench, timing: StreamTiming, layer: Layer, frames: int = 6) -> None:
    """The schedule says what the layer states, and when each word of the first frames leaves: a cycle at most apart."""
    schedule = schedules(bench, [layer])[layer.core_name()]
    assert schedule.interval == layer.interval_cycles()
    words = np.zeros((frames * schedule.inputs[0], (layer.input_stream().width + 7) // 8), dtype=np.uint8)
    with bench.rtl(layer) as simulation:
        result = simulation.run(words, frames * schedule.outputs[0])
    computed = timing.run(chain(layer).timed({layer.core_name(): schedule}), {}, frames).output_cycles.ravel()
    measured = result.output_cycles - result.input_cycles[0]
    assert np.abs(computed - measured).max() <= 1
    assert computed[-1] == measured[-1]


@pytest.mark.parametrize(
    "layer",
    [
        grid_mvau("several_vectors"),
        # One word a frame, which comes when there is just room for it.
        random_mvau((8, 4), (8, 1), ("UINT4", "INT2")),
        ConvolutionInputGenerator("3,3", 4, "7,6", "1,1", "1,1", 2, "INT4"),
        LabelSelect(10, 1, "INT9", "UINT4"),
    ],
    ids=name,
)
def test_the_schedule_of_a_core_says_when_its_words_leave(bench: Bench, timing: StreamTiming, layer: Layer) -> None:
    check_alone(bench, timing, layer)


@pytest.mark.nightly
@pytest.mark.parametrize(
    "layer",
    [
        layer
        for layer in (*GRID, *(grid_thresholding(key) for key in THRESHOLDING_GRID))
        if len(layer.input_streams()) == len(layer.output_streams()) == 1
    ],
    ids=name,
)
def test_the_schedules_of_more_cores(bench: Bench, timing: StreamTiming, layer: Layer) -> None:
    check_alone(bench, timing, layer)


def cut_depths(depths: Mapping[Edge, int]) -> list[dict[Edge, int]]:
    """For each FIFO that is larger than the minimum: the depths with that one cut to it."""
    return [{**depths, edge: MINIMUM_DEPTH} for edge, depth in depths.items() if depth > MINIMUM_DEPTH]


def check_graph(bench: Bench, timing: StreamTiming, folder: Path, graph: Graph, *, cut: bool) -> None:
    """Depths, interval and latency by the schedules are those of the stitched RTL."""
    cores = graph.timed(schedules(bench, graph.layers))
    sized = FifoSizing(timing, cores, graph.fifo_of).size()
    depths = {edge: fifo.depth for edge, fifo in sized.fifos.items()}
    bound = max(layer.interval_cycles() for layer in graph.layers)
    assert sized.times.interval == bound
    frames = 12
    words = graph.layers[-1].output_streams()[0].words_per_frame
    measured = run_linked(bench, folder / "full", graph.with_fifos(depths), frames)
    assert measured.output_intervals(words)[frames // 2 :].tolist() == [bound] * (frames - 1 - frames // 2)
    # The cycle model may be two in a hundred off; it is exact here.
    computed = timing.run(cores, sized.fifos, frames).output_cycles.ravel()
    np.testing.assert_array_equal(computed, measured.output_cycles - measured.input_cycles[0])
    if not cut:
        return
    for number, smaller in enumerate(cut_depths(depths)):
        try:
            slower = run_linked(bench, folder / f"cut_{number}", graph.with_fifos(smaller), frames)
        except VerificationError:  # it stands still
            continue
        assert np.mean(slower.output_intervals(words)[frames // 2 :]) > bound


def test_a_residual_network_runs_at_the_interval_of_its_slowest_layer(
    bench: Bench, timing: StreamTiming, tmp_path: Path
) -> None:
    check_graph(bench, timing, tmp_path, residual_dense(1), cut=False)


@pytest.mark.parametrize("depth", [0, 2])
def test_a_core_whose_next_word_comes_when_there_is_just_room_for_it(
    bench: Bench, timing: StreamTiming, tmp_path: Path, depth: int
) -> None:
    """With an interval of 12 cycles and a latency of 11 the core's own pace hides behind the room in its output."""
    product = random_mvau((36, 6), (18, 1), ("INT3", "INT3"), (7, "INT3"), vectors=16)
    graph = chain(StreamingDataWidthConverter("INT3", 4, 18, 576), product)
    fifos = {(1, 0): depth} if depth else {}
    cores = graph.timed(schedules(bench, graph.layers))
    computed = timing.run(cores, {edge: graph.fifo_of(edge, depth) for edge in fifos}, 6).output_cycles.ravel()
    measured = run_linked(bench, tmp_path / "design", graph.with_fifos(fifos), 6)
    np.testing.assert_array_equal(computed, measured.output_cycles - measured.input_cycles[0])


@pytest.mark.nightly
@pytest.mark.parametrize("graph", [residual_dense, conv_chain, uneven_conv_chain, residual_conv, inception])
def test_whole_graphs_and_each_fifo_cut_to_the_minimum(
    bench: Bench, timing: StreamTiming, tmp_path: Path, graph: Callable[[], Graph]
) -> None:
    check_graph(bench, timing, tmp_path, graph(), cut=True)
