"""Graphs of layers with FIFOs, run in RTL, and what the cores' schedules say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from finnmake.dataflow.core_schedule import CoreSchedule
from finnmake.dataflow.fifo_sizing import Edge
from finnmake.dataflow.layer import Layer
from finnmake.dataflow.stream_graph import Source
from finnmake.dataflow.streaming_fifo import StreamingFIFO
from finnmake.runtime.core_schedule import measure_schedule
from finnmake.runtime.rtlsim import StreamResult
from finnmake.runtime.stream_timing import Fifo, TimedCore
from tests.hls_library.harness import Bench
from tests.hls_library.stitched import linked


@dataclass(frozen=True, eq=False)
class Graph:
    """Layers, each behind those that feed it, and for each where each of its inputs comes from."""

    layers: tuple[Layer, ...]
    sources: tuple[tuple[Source, ...], ...]

    def timed(self, schedules: Mapping[str, CoreSchedule]) -> list[TimedCore]:
        """The graph as cores with schedules, by the names of the cores."""
        return [
            TimedCore(schedules[layer.core_name()], sources)
            for layer, sources in zip(self.layers, self.sources, strict=True)
        ]

    def fifo(self, edge: Edge, depth: int) -> StreamingFIFO:
        """The FIFO of a depth in a stream."""
        stream = self.layers[edge[0]].input_streams()[edge[1]]
        return StreamingFIFO(stream.datatype.name, stream.elements_per_word, stream.words_per_frame, depth)

    def fifo_of(self, edge: Edge, depth: int) -> Fifo:
        """Its timing."""
        return Fifo(depth, self.fifo(edge, depth).first_output_latency())

    def with_fifos(self, depths: Mapping[Edge, int]) -> Graph:
        """The graph with StreamingFIFO layers in its streams."""
        layers: list[Layer] = []
        sources: list[tuple[Source, ...]] = []
        place: dict[int, int] = {-1: -1}
        for position, (layer, inputs) in enumerate(zip(self.layers, self.sources, strict=True)):
            own = []
            for port, (source, output) in enumerate(inputs):
                begin: Source = (place[source], output)
                if depth := depths.get((position, port), 0):
                    layers.append(self.fifo((position, port), depth))
                    sources.append((begin,))
                    begin = (len(layers) - 1, 0)
                own.append(begin)
            layers.append(layer)
            sources.append(tuple(own))
            place[position] = len(layers) - 1
        return Graph(tuple(layers), tuple(sources))


def chain(*layers: Layer) -> Graph:
    """Layers in a row."""
    return Graph(layers, tuple(((position - 1, 0),) for position in range(len(layers))))


def schedules(bench: Bench, layers: Sequence[Layer]) -> dict[str, CoreSchedule]:
    """The measured schedule of every core."""
    found: dict[str, CoreSchedule] = {}
    for layer in layers:
        if layer.core_name() not in found:
            inputs, outputs = (
                [stream.words_per_frame for stream in streams]
                for streams in (layer.input_streams(), layer.output_streams())
            )
            with bench.rtl(layer) as simulation:
                found[layer.core_name()] = measure_schedule(simulation, inputs, outputs)
    return found


def run_linked(bench: Bench, folder: Path, graph: Graph, frames: int) -> StreamResult:
    """Frames of zeros through the stitched design, out of the simulations of its cores."""
    source, sink = graph.layers[0].input_streams()[0], graph.layers[-1].output_streams()[0]
    words = np.zeros((frames * source.words_per_frame, (source.width + 7) // 8), dtype=np.uint8)
    with linked(bench, folder, graph) as simulation:
        return simulation.run(words, frames * sink.words_per_frame, max_idle_cycles=20_000)
