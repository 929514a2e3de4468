"""The tasks that simulate one core, whichever engine has made it: in RTL the simulator is built first, then it runs."""

from __future__ import annotations

from collections.abc import Mapping

from finnmake.build.action import Action, Input, PythonCommand
from finnmake.flow.layer_context import LayerContext
from finnmake.flow.manifest import LayerEntry
from finnmake.flow.plan import PlannedTask
from finnmake.flow.stages import Stage


def rtlsim_build(
    layer: LayerEntry, context: LayerContext, *, maker: str, verilog: str, sources: Mapping[str, str]
) -> PlannedTask:
    """Build the RTL simulation of a core.

    Args:
        layer: of the core.
        context: of the accelerator.
        maker: the step that makes the core.
        verilog: its file.
        sources: other files that it needs.
    """
    top = f"{layer.core}.v"
    return PlannedTask(
        name=context.step(layer, "rtlsim_build"),
        doc=f"build the RTL simulation of {layer.core}",
        stage=Stage.RTLSIM,
        after=(context.step(layer, maker), context.task("simulator")),
        action=context.rules["verilator_build"].action(
            parameters={"top": layer.core, "optimise": "2", "options": [], "files": [top, *sources]},
            inputs={
                top: context.file(layer, verilog),
                **sources,
                "verilated.a": context.path("simulator/verilated.a"),
            },
            outputs={"model.so": context.output(layer, "rtlsim.so")},
        ),
    )


def simulate(
    layer: LayerEntry,
    context: LayerContext,
    name: str,
    doc: str,
    *,
    maker: str,
    function: str,
    mnemonic: str,
    memories: Mapping[str, Input],
) -> PlannedTask:
    """Run the simulation that the step ``<name>_build`` has built, against NumPy.

    Args:
        layer: of the core.
        context: of the accelerator.
        name: of the step: ``cppsim`` or ``rtlsim``, which is also what its files are called.
        doc: what it does.
        maker: the step that makes the core.
        function: of ``finnmake.runtime.actions``.
        mnemonic: of the action.
        memories: what the core loads.
    """
    return PlannedTask(
        name=context.step(layer, name),
        doc=doc,
        stage=Stage.CPPSIM if name == "cppsim" else Stage.RTLSIM,
        after=(context.step(layer, maker), context.step(layer, f"{name}_build")),
        action=Action(
            mnemonic=mnemonic,
            command=PythonCommand(f"finnmake.runtime.actions:{function}", {}),
            inputs={
                **context.layer_inputs(layer),
                **memories,
                f"{name}.so": context.file(layer, f"{name}.so"),
            },
            outputs={f"out/{name}.json": context.output(layer, f"{name}.json")},
        ),
    )
