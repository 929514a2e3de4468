"""Stitched designs of layers, built as the flow does, and what the cores' schedules say of them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from finnmake.codegen.core import core_values
from finnmake.codegen.rendering import render
from finnmake.codegen.stitch import Instance, Port, render_stitched, stitched_name
from finnmake.dataflow.core_schedule import CoreSchedule
from finnmake.dataflow.fifo_sizing import Edge
from finnmake.dataflow.layer import Layer
from finnmake.dataflow.packing import memory_text
from finnmake.dataflow.stream_graph import Source
from finnmake.dataflow.streaming_fifo import StreamingFIFO
from finnmake.runtime.core_schedule import measure_schedule
from finnmake.runtime.rtlsim import RtlSimulation, StreamResult
from finnmake.runtime.stream_timing import Fifo, TimedCore
from tests.hls_library.harness import LIBRARY, TEMPLATES, VERILATOR_RULE, Bench, copy_rule, run_script


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


def stitched(bench: Bench, folder: Path, graph: Graph) -> RtlSimulation:
    """The stitched design, built as the flow does."""
    folder.mkdir()
    copy_rule(VERILATOR_RULE, folder)
    shutil.copy(bench.runtime(), folder / "verilated.a")
    files, instances = dict[str, None](), []
    for position, (layer, sources) in enumerate(zip(graph.layers, graph.sources, strict=True)):
        core = render(TEMPLATES / "core.v.j2", core_values(layer))
        for name, text in ((f"{layer.core_name()}.v", core), *_kernels(layer)):
            (folder / name).write_text(text)
            files[name] = None
        for name, image in layer.memory_images().items():
            (folder / f"layer_{position}_{name}.mem").write_text(memory_text(image))
        inputs, outputs = (
            tuple(Port(name, stream.width) for name, stream in ports.items())
            for ports in (layer.input_ports(), layer.output_ports())
        )
        memories = tuple(layer.memory_images())
        instances.append(Instance(position, layer.core_name(), layer.core_name(), memories, inputs, outputs, sources))
    top = stitched_name(instances)
    (folder / "top.v").write_text(render_stitched(instances, 1, TEMPLATES / "stitched.v.j2", configured=False))
    run_script(folder, "build.py", "--top", top, "--output", "model.so", "top.v", *files)
    return RtlSimulation(folder / "model.so", folder)


def _kernels(layer: Layer) -> list[tuple[str, str]]:
    return [(Path(name).name, (LIBRARY / name).read_text()) for name in layer.verilog_files]


def run_stitched(bench: Bench, folder: Path, graph: Graph, frames: int) -> StreamResult:
    """Frames of zeros through the stitched design."""
    source, sink = graph.layers[0].input_streams()[0], graph.layers[-1].output_streams()[0]
    words = np.zeros((frames * source.words_per_frame, (source.width + 7) // 8), dtype=np.uint8)
    with stitched(bench, folder, graph) as simulation:
        return simulation.run(words, frames * sink.words_per_frame, max_idle_cycles=20_000)
