"""Builds the RTL simulation of a whole graph of layers: its Verilog at once, or out of the simulations of its cores."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from finnmake.codegen.stitch import Instance, Port, render_stitched, stitched_name
from finnmake.dataflow.layer import Layer
from finnmake.dataflow.packing import memory_text
from finnmake.dataflow.stream_graph import Source, stream_graph
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.runtime.rtlsim import RtlSimulation
from tests.hls_library.harness import (
    LIBRARY,
    TEMPLATES,
    VERILATOR_RULE,
    Bench,
    copy_rule,
    core_verilog,
    run_script,
)


class Layers(Protocol):
    """A ``StreamGraph``, or what has its layers and where their inputs come from."""

    @property
    def layers(self) -> tuple[Layer, ...]: ...

    @property
    def sources(self) -> tuple[tuple[Source, ...], ...]: ...


def stitched(
    bench: Bench, folder: Path, design: ModelWrapper | Layers, made: Mapping[str, str] | None = None
) -> RtlSimulation:
    """The stitched design, all of its Verilog in one simulation; ``made``: cores that are not generated, by name."""
    top, files = _sources(bench, folder, _layers(design))
    for name, text in (made or {}).items():
        (folder / f"{name}.v").write_text(text)
    run_script(folder, "build.py", "--top", top, "--output", "model.so", "top.v", *files)
    return RtlSimulation(folder / "model.so", folder)


def linked(bench: Bench, folder: Path, design: ModelWrapper | Layers) -> RtlSimulation:
    """The stitched design out of the simulations of its cores, as the flow builds it."""
    graph = _layers(design)
    top, _ = _sources(bench, folder, graph)
    for layer in graph.layers:
        bench.rtl(layer).close()
        shutil.copy(bench.folder / f"{layer.core_name()}-rtl" / "model.so", folder / f"{layer.core_name()}.so")
    (folder / "top.v").rename(folder / "stitched.v")
    shutil.copy(bench.linked_design(), folder)
    run_script(folder, "link.py", "--top", top, "--output", "model.so", "stitched.v")
    return RtlSimulation(folder / "model.so", folder)


def _layers(design: ModelWrapper | Layers) -> Layers:
    return stream_graph(design) if isinstance(design, ModelWrapper) else design


def _sources(bench: Bench, folder: Path, graph: Layers) -> tuple[str, list[str]]:
    """Writes ``top.v``, the cores and their kernels, and the memories; gives the top's name and the other files."""
    folder.mkdir()
    copy_rule(VERILATOR_RULE, folder)
    shutil.copy(bench.runtime(), folder / "verilated.a")
    files, instances = dict[str, None](), []
    for position, (layer, sources) in enumerate(zip(graph.layers, graph.sources, strict=True)):
        kernels = [(Path(name).name, (LIBRARY / name).read_text()) for name in layer.verilog_files]
        for name, text in ((f"{layer.core_name()}.v", core_verilog(layer)), *kernels):
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
    return top, list(files)
