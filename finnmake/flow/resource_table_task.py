"""The task that puts what synthesis counted of all layers into one table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from finnmake.build.action import Action, PythonCommand
from finnmake.deploy.board import Board
from finnmake.flow.layer_context import LayerContext
from finnmake.flow.manifest import Manifest
from finnmake.flow.plan import PlannedTask
from finnmake.flow.stages import Stage

FINN_REPORTS = ("estimate_layer_cycles.json", "estimate_layer_resources.json")
"""Reports of FINN that must be there, as ``finnmake.report.finn_reports`` reads them."""

FINN_FOLDINGS = ("auto_folding_config.json",)
"""What may lie beside them."""


def plan_resource_table(
    manifest: Manifest, context: LayerContext, board: Board, clock_mhz: float, finn: Mapping[str, Path]
) -> PlannedTask:
    """The table of an accelerator's layers in all its synthesis flows.

    Args:
        manifest: the layers.
        context: of the accelerator.
        board: that it is folded for.
        clock_mhz: of the accelerator.
        finn: FINN's reports by their names; none where there are none.
    """
    inputs: dict[str, Path | str] = {"manifest.json": context.path("manifest.json"), **finn}
    after = [context.task("layers")]
    for position, layer in enumerate(manifest.layers):
        folder = f"layers/{layer.name}"
        inputs[f"layer_{position}.json"] = context.path(f"{folder}/layer.json")
        for flow in context.synthesis_flows:
            suffix = context.synthesis_suffix(flow)
            inputs[f"layer_{position}_{flow}.json"] = context.path(f"{folder}/resources{suffix}.json")
            after.append(context.task(f"{layer.name}.synth{suffix}"))
    return PlannedTask(
        name=context.task("resource_table"),
        doc="cycles, latency and resources of all layers in one table",
        stage=Stage.SYNTH,
        after=tuple(after),
        action=Action(
            mnemonic="ResourceTable",
            command=PythonCommand(
                "finnmake.report.resource_table_action:resource_table",
                {
                    "name": context.target,
                    "board": board.name,
                    "clock_mhz": clock_mhz,
                    "flows": list(context.synthesis_flows),
                    "available": dict(board.resources),
                    "finn": sorted(finn),
                },
            ),
            inputs=inputs,
            outputs={
                "out/synthesis.json": f"{context.folder}/synthesis.json",
                "out/synthesis.md": f"{context.folder}/synthesis.md",
            },
        ),
    )
