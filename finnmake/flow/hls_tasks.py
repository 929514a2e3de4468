"""The tasks of a layer whose core an HLS tool makes: run the tool, simulate the core, take it where it is right."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from finnmake.build.action import Action, DirectoryOf, Input, PythonCommand
from finnmake.flow.core_simulation import rtlsim_build, simulate
from finnmake.flow.engine_rules import rule_of
from finnmake.flow.engines import frames_of_a_call
from finnmake.flow.layer_context import LayerContext, kernel_files
from finnmake.flow.manifest import LayerEntry
from finnmake.flow.plan import PlannedTask
from finnmake.flow.stages import Stage

PART = "xczu3eg-sbva484-1-e"
"""What a tool of AMD's estimates for where the board's FPGA is another maker's."""


def plan_hls(layer: LayerEntry, context: LayerContext) -> list[PlannedTask]:
    """The tasks that replace those of the engine ``rtl`` from the lint on, synthesis excepted.

    ``core.v`` is written by the last of them, from the simulation's result: no other task sees a core that was not
    simulated.
    """
    simulation = simulate(
        layer,
        context,
        "rtlsim",
        f"simulate {layer.core} in RTL against NumPy, with stalls; measure its cycles",
        maker="hls",
        function="simulate_core_hls",
        mnemonic="SimulateHls",
        memories=memory_folder(layer, context),
    )
    build = rtlsim_build(layer, context, maker="hls", verilog="hls/core.v", sources={})
    return [_hls(layer, context), build, simulation, _core(layer, context)]


def memory_folder(layer: LayerEntry, context: LayerContext) -> dict[str, Input]:
    """The memory files that belong to a core, as its Verilog names them."""
    return {f"{layer.core}/": DirectoryOf(context.step(layer, "hls"), "out/memories/")}


def _hls(layer: LayerEntry, context: LayerContext) -> PlannedTask:
    shared = context.resources.rules / "hls" / "wrapper.py"
    inputs: Mapping[str, Path | str] = {
        "top.cpp": context.file(layer, "top.cpp"),
        **{f"{name}.inc": context.file(layer, f"{name}.inc") for name in layer.constants},
        **kernel_files(context.resources, layer.cpp_files),
        "wrapper.py": shared,
    }
    rule = context.rules[rule_of(layer.engine)]
    words = max(layer.interval, *(stream.words_per_frame for stream in (*layer.inputs, *layer.outputs)))
    return PlannedTask(
        name=context.step(layer, "hls"),
        doc=f"make {layer.core} with {layer.engine}",
        stage=Stage.CORES,
        after=(context.step(layer, "generate"),),
        action=rule.action(
            parameters={
                "function": layer.function,
                "module": layer.core,
                "clock_ns": f"{1000 / context.clock_mhz:.3f}",
                "frames": frames_of_a_call(words),
                **({"part": _part(context)} if "part" in rule.parameters else {}),
                "streams": [
                    *(f"in:{stream.port}:{stream.width}" for stream in layer.inputs),
                    *(f"out:{stream.port}:{stream.width}" for stream in layer.outputs),
                ],
            },
            inputs=inputs,
            outputs={
                "out/core.v": context.output(layer, "hls/core.v"),
                "out/memories/": context.output(layer, "hls/memories"),
                "out/hls.json": context.output(layer, "hls/report.json"),
            },
        ),
    )


def _part(context: LayerContext) -> str:
    return context.part if context.part.startswith("xc") else PART


def _core(layer: LayerEntry, context: LayerContext) -> PlannedTask:
    return PlannedTask(
        name=context.step(layer, "core"),
        doc=f"take {layer.core}, now that its simulation was equal to NumPy",
        stage=Stage.RTLSIM,
        after=(context.step(layer, "hls"), context.step(layer, "rtlsim")),
        action=Action(
            mnemonic="AcceptCore",
            command=PythonCommand("finnmake.codegen.actions:accept_core", {}),
            inputs={
                "in/core.v": context.file(layer, "hls/core.v"),
                "in/hls.json": context.file(layer, "hls/report.json"),
                "in/rtlsim.json": context.file(layer, "rtlsim.json"),
            },
            outputs={
                "out/core.v": context.output(layer, "core.v"),
                "out/hls.json": context.output(layer, "hls.json"),
            },
        ),
    )
