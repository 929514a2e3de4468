"""The tasks of one layer: generate its core, simulate it in C++ and RTL, lint it, synthesise it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from finnmake.build.action import Action, PythonCommand
from finnmake.build.rules import Rule
from finnmake.flow.manifest import LayerEntry
from finnmake.flow.plan import PlannedTask, TargetContext
from finnmake.flow.stages import Stage
from finnmake.resources import Resources

SIMULATION_HEADERS = ("include/ap_int.h", "include/hls_stream.h")
"""What stands in for the vendor's headers when a C++ top is compiled for simulation."""


@dataclass(frozen=True)
class LayerContext(TargetContext):
    """What all layer tasks of an accelerator share.

    Attributes:
        resources: folders of rules, kernels and templates.
        rules: the rules by name.
        synthesis_flows: prefixes of synthesis rules; the first is the board's, the others are only reported.
        layers_task: what writes the layers.
        layers_folder: where they are.
    """

    resources: Resources
    rules: Mapping[str, Rule]
    synthesis_flows: tuple[str, ...]
    layers_task: str = "layers"
    layers_folder: str = "layers"

    def synthesis_suffix(self, flow: str) -> str:
        """What distinguishes tasks and files of a flow from those of the board's."""
        return "" if flow == self.synthesis_flows[0] else f"_{flow}"

    def layer_task(self, layer: str, step: str) -> str:
        """Full name of a task of a layer."""
        prefix = "" if self.layers_task == "layers" else f"{self.layers_task}."
        return self.task(f"{prefix}{layer}.{step}")

    def layer_path(self, layer: str, name: str) -> Path:
        """A file of a layer."""
        return self.path(f"{self.layers_folder}/{layer}/{name}")

    def layer_output(self, layer: str, name: str) -> str:
        """The same as an output of an action."""
        return f"{self.folder}/{self.layers_folder}/{layer}/{name}"


def kernel_files(resources: Resources, names: tuple[str, ...]) -> dict[str, Path]:
    """Kernel sources as inputs: scratch path (file name) to the file in the kernel library."""
    return {Path(name).name: resources.hls_library / name for name in names}


def plan_layer(layer: LayerEntry, context: LayerContext) -> list[PlannedTask]:
    """All tasks of one layer."""
    return [
        _generate(layer, context),
        _lint(layer, context),
        _cppsim_build(layer, context),
        _cppsim(layer, context),
        _rtlsim_build(layer, context),
        _rtlsim(layer, context),
        *(_synth(layer, context, flow) for flow in context.synthesis_flows),
    ]


def plan_simulation(layer: LayerEntry, context: LayerContext, stage: Stage) -> list[PlannedTask]:
    """The tasks that make a core and build its RTL simulation, at an earlier stage."""
    tasks = [_generate(layer, context), _rtlsim_build(layer, context)]
    return [replace(task, stage=stage) for task in tasks]


def _task(layer: LayerEntry, context: LayerContext, step: str) -> str:
    return context.layer_task(layer.name, step)


def _file(layer: LayerEntry, context: LayerContext, name: str) -> Path:
    return context.layer_path(layer.name, name)


def _output(layer: LayerEntry, context: LayerContext, name: str) -> str:
    return context.layer_output(layer.name, name)


def layer_inputs(layer: LayerEntry, context: LayerContext) -> dict[str, Path]:
    """The layer file and its parameters, as inputs of a Python action."""
    names = ["layer.json", *(f"{name}.npy" for name in layer.parameters)]
    return {name: _file(layer, context, name) for name in names}


def _images(layer: LayerEntry, context: LayerContext) -> dict[str, Path]:
    return {f"{name}.mem": _file(layer, context, f"{name}.mem") for name in layer.memories}


def _generate(layer: LayerEntry, context: LayerContext) -> PlannedTask:
    templates = {name: context.resources.templates / name for name in ("core.v.j2", "configured.v.j2", "top.cpp.j2")}
    names = ["core.v", "configured.v", "top.cpp", *(f"{m}.{kind}" for m in layer.memories for kind in ("mem", "inc"))]
    return PlannedTask(
        name=_task(layer, context, "generate"),
        doc=f"render the Verilog core and the C++ top of {layer.core}",
        stage=Stage.CORES,
        after=(context.task(context.layers_task),),
        action=Action(
            mnemonic="GenerateCore",
            command=PythonCommand("finnmake.codegen.actions:generate_core", {}),
            inputs={**layer_inputs(layer, context), **templates},
            outputs={f"out/{name}": _output(layer, context, name) for name in names},
        ),
    )


def _lint(layer: LayerEntry, context: LayerContext) -> PlannedTask:
    rule = context.rules["verilator_lint"]
    sources = kernel_files(context.resources, layer.verilog_files)
    return PlannedTask(
        name=_task(layer, context, "lint"),
        doc=f"check the Verilog of {layer.core}",
        stage=Stage.CORES,
        after=(_task(layer, context, "generate"),),
        action=rule.action(
            parameters={"top": layer.core, "files": [f"{layer.core}.v", *sources]},
            inputs={f"{layer.core}.v": _file(layer, context, "core.v"), **sources},
            outputs={"lint.txt": _output(layer, context, "lint.txt")},
        ),
    )


def _cppsim_build(layer: LayerEntry, context: LayerContext) -> PlannedTask:
    rule = context.rules["cxx_build"]
    headers = kernel_files(context.resources, (*SIMULATION_HEADERS, *layer.cpp_files))
    return PlannedTask(
        name=_task(layer, context, "cppsim_build"),
        doc=f"compile the C++ simulation of {layer.core}",
        stage=Stage.CPPSIM,
        after=(_task(layer, context, "generate"),),
        action=rule.action(
            parameters={"top": "top.cpp"},
            inputs={"top.cpp": _file(layer, context, "top.cpp"), **headers},
            outputs={"model.so": _output(layer, context, "cppsim.so")},
        ),
    )


def _cppsim(layer: LayerEntry, context: LayerContext) -> PlannedTask:
    return PlannedTask(
        name=_task(layer, context, "cppsim"),
        doc=f"simulate {layer.core} in C++ against NumPy",
        stage=Stage.CPPSIM,
        after=(_task(layer, context, "generate"), _task(layer, context, "cppsim_build")),
        action=Action(
            mnemonic="SimulateCpp",
            command=PythonCommand("finnmake.runtime.actions:simulate_core_cpp", {}),
            inputs={
                **layer_inputs(layer, context),
                **_images(layer, context),
                "cppsim.so": _file(layer, context, "cppsim.so"),
            },
            outputs={"out/cppsim.json": _output(layer, context, "cppsim.json")},
        ),
    )


def _rtlsim_build(layer: LayerEntry, context: LayerContext) -> PlannedTask:
    sources = kernel_files(context.resources, layer.verilog_files)
    return PlannedTask(
        name=_task(layer, context, "rtlsim_build"),
        doc=f"build the RTL simulation of {layer.core}",
        stage=Stage.RTLSIM,
        after=(_task(layer, context, "generate"), context.task("simulator")),
        action=context.rules["verilator_build"].action(
            parameters={"top": layer.core, "optimise": "1", "options": [], "files": [f"{layer.core}.v", *sources]},
            inputs={
                f"{layer.core}.v": _file(layer, context, "core.v"),
                **sources,
                "verilated.a": context.path("simulator/verilated.a"),
            },
            outputs={"model.so": _output(layer, context, "rtlsim.so")},
        ),
    )


def _rtlsim(layer: LayerEntry, context: LayerContext) -> PlannedTask:
    return PlannedTask(
        name=_task(layer, context, "rtlsim"),
        doc=f"simulate {layer.core} in RTL against NumPy, with stalls; check its cycles",
        stage=Stage.RTLSIM,
        after=(_task(layer, context, "generate"), _task(layer, context, "rtlsim_build")),
        action=Action(
            mnemonic="SimulateRtl",
            command=PythonCommand("finnmake.runtime.actions:simulate_core_rtl", {}),
            inputs={
                **layer_inputs(layer, context),
                **_images(layer, context),
                "rtlsim.so": _file(layer, context, "rtlsim.so"),
            },
            outputs={"out/rtlsim.json": _output(layer, context, "rtlsim.json")},
        ),
    )


def _synth(layer: LayerEntry, context: LayerContext, flow: str) -> PlannedTask:
    suffix = context.synthesis_suffix(flow)
    # A module lies in a file of its name.
    verilog = {
        f"{layer.configured}.v": _file(layer, context, "configured.v"),
        f"{layer.core}.v": _file(layer, context, "core.v"),
        **kernel_files(context.resources, layer.verilog_files),
    }
    return PlannedTask(
        name=_task(layer, context, f"synth{suffix}"),
        doc=f"synthesise {layer.configured} to a netlist ({flow})",
        stage=Stage.SYNTH,
        after=(_task(layer, context, "generate"),),
        action=context.rules[f"{flow}_synth"].action(
            parameters={
                "top": layer.configured,
                "sources": list(verilog),
                "dsp_options": [] if layer.uses_dsp else ["--no-dsp"],
            },
            inputs={
                **verilog,
                **_images(layer, context),
            },
            outputs={
                "netlist.il": _output(layer, context, f"netlist{suffix}.il"),
                "resources.json": _output(layer, context, f"resources{suffix}.json"),
            },
        ),
    )
