"""The tasks of one layer: generate its core, simulate it in C++ and RTL, lint it, synthesise it."""

from __future__ import annotations

from dataclasses import replace

from finnmake.build.action import Action, Input, PythonCommand
from finnmake.flow.core_simulation import rtlsim_build, simulate
from finnmake.flow.hls_tasks import memory_folder, plan_hls
from finnmake.flow.layer_context import LayerContext, kernel_files
from finnmake.flow.manifest import LayerEntry
from finnmake.flow.plan import PlannedTask
from finnmake.flow.stages import Stage

SIMULATION_HEADERS = ("include/ap_int.h", "include/hls_stream.h")
"""What stands in for the vendor's headers when a C++ top is compiled for simulation."""


def plan_layer(layer: LayerEntry, context: LayerContext) -> list[PlannedTask]:
    """All tasks of one layer."""
    if layer.is_hls:
        return [
            _generate(layer, context),
            _cppsim_build(layer, context),
            _cppsim(layer, context),
            *plan_hls(layer, context),
            *(_synth(layer, context, flow) for flow in context.synthesis_flows),
        ]
    return [
        _generate(layer, context),
        _lint(layer, context),
        _cppsim_build(layer, context),
        _cppsim(layer, context),
        _rtlsim_build(layer, context),
        _rtlsim(layer, context),
        *(_synth(layer, context, flow) for flow in context.synthesis_flows),
    ]


def plan_simulation(layer: LayerEntry, context: LayerContext) -> list[PlannedTask]:
    """The tasks that make a core and build its RTL simulation, at the stage at which the layers become known."""
    tasks = [_generate(layer, context), _rtlsim_build(layer, context)]
    return [replace(task, stage=Stage.LAYERS) for task in tasks]


def _images(layer: LayerEntry, context: LayerContext) -> dict[str, str]:
    names = layer.constants if layer.is_hls else layer.memories
    return {f"{name}.mem": context.file(layer, f"{name}.mem") for name in names}


def _generate(layer: LayerEntry, context: LayerContext) -> PlannedTask:
    templates = {name: context.resources.templates / name for name in ("core.v.j2", "configured.v.j2", "top.cpp.j2")}
    verilog = () if layer.is_hls else ("core.v", "configured.v")
    memories = layer.constants if layer.is_hls else layer.memories
    names = [*verilog, "top.cpp", *(f"{memory}.{kind}" for memory in memories for kind in ("mem", "inc"))]
    return PlannedTask(
        name=context.step(layer, "generate"),
        doc=f"render the Verilog core and the C++ top of {layer.core}",
        stage=Stage.CORES,
        after=(context.task(context.layers_task),),
        action=Action(
            mnemonic="GenerateCore",
            command=PythonCommand("finnmake.codegen.actions:generate_core", {}),
            inputs={**context.layer_inputs(layer), **templates},
            outputs={f"out/{name}": context.output(layer, name) for name in names},
        ),
    )


def _lint(layer: LayerEntry, context: LayerContext) -> PlannedTask:
    rule = context.rules["verilator_lint"]
    sources = kernel_files(context.resources, layer.verilog_files)
    return PlannedTask(
        name=context.step(layer, "lint"),
        doc=f"check the Verilog of {layer.core}",
        stage=Stage.CORES,
        after=(context.step(layer, "generate"),),
        action=rule.action(
            parameters={"top": layer.core, "files": [f"{layer.core}.v", *sources]},
            inputs={f"{layer.core}.v": context.file(layer, "core.v"), **sources},
            outputs={"lint.txt": context.output(layer, "lint.txt")},
        ),
    )


def _cppsim_build(layer: LayerEntry, context: LayerContext) -> PlannedTask:
    rule = context.rules["cxx_build"]
    headers = kernel_files(context.resources, (*SIMULATION_HEADERS, *layer.cpp_files))
    return PlannedTask(
        name=context.step(layer, "cppsim_build"),
        doc=f"compile the C++ simulation of {layer.core}",
        stage=Stage.CPPSIM,
        after=(context.step(layer, "generate"),),
        action=rule.action(
            parameters={"top": "top.cpp"},
            inputs={"top.cpp": context.file(layer, "top.cpp"), **headers},
            outputs={"model.so": context.output(layer, "cppsim.so")},
        ),
    )


def _cppsim(layer: LayerEntry, context: LayerContext) -> PlannedTask:
    return simulate(
        layer,
        context,
        "cppsim",
        f"simulate {layer.core} in C++ against NumPy",
        maker="generate",
        function="simulate_core_cpp",
        mnemonic="SimulateCpp",
        memories=_images(layer, context),
    )


def _rtlsim_build(layer: LayerEntry, context: LayerContext) -> PlannedTask:
    sources = kernel_files(context.resources, layer.verilog_files)
    return rtlsim_build(layer, context, maker="generate", verilog="core.v", sources=sources)


def _rtlsim(layer: LayerEntry, context: LayerContext) -> PlannedTask:
    return simulate(
        layer,
        context,
        "rtlsim",
        f"simulate {layer.core} in RTL against NumPy, with stalls; check its cycles",
        maker="generate",
        function="simulate_core_rtl",
        mnemonic="SimulateRtl",
        memories=_images(layer, context),
    )


def _synth(layer: LayerEntry, context: LayerContext, flow: str) -> PlannedTask:
    suffix = context.synthesis_suffix(flow)
    # A module lies in a file of its name.
    verilog = {f"{layer.core}.v": context.file(layer, "core.v")}
    memories: dict[str, Input] = {}
    if layer.is_hls:
        memories |= memory_folder(layer, context)
    else:
        memories |= _images(layer, context)
        configured = {f"{layer.configured}.v": context.file(layer, "configured.v")}
        verilog = {**configured, **verilog, **kernel_files(context.resources, layer.verilog_files)}
    return PlannedTask(
        name=context.step(layer, f"synth{suffix}"),
        doc=f"synthesise {layer.configured} to a netlist ({flow})",
        stage=Stage.SYNTH,
        after=(context.step(layer, "core" if layer.is_hls else "generate"),),
        action=context.rules[f"{flow}_synth"].action(
            parameters={
                "top": layer.configured,
                "sources": list(verilog),
                "dsp_options": [] if layer.uses_dsp else ["--no-dsp"],
            },
            inputs={**verilog, **memories},
            outputs={
                "netlist.il": context.output(layer, f"netlist{suffix}.il"),
                "resources.json": context.output(layer, f"resources{suffix}.json"),
            },
        ),
    )
