"""The tasks from the model to the manifest of layers: import, one task a transformation, samples and reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from finnmake.build.action import Action, Canonical, DirectoryOf, PythonCommand
from finnmake.flow.layer_tasks import LayerContext
from finnmake.flow.plan import PlannedTask
from finnmake.flow.stages import Stage

Json = str | int | float | bool | None | Sequence["Json"] | Mapping[str, "Json"]

_TRANSFORM = "finnmake.flow.actions:transform"


@dataclass(frozen=True)
class Step:
    """One transformation of the flow: its class by name, its arguments, the stage it belongs to."""

    transformation: str
    arguments: Mapping[str, Json]
    stage: Stage
    files: Mapping[str, Path] | None = None


@dataclass(frozen=True)
class ModelSource:
    """What is compiled, how its input is to be read, and what it is verified on."""

    model: Path
    input_datatype: str | None
    input_scale: str | float | None
    samples: Path | None
    labels: Path | None


def canonical_model(source: ModelSource) -> Canonical:
    """The model file and its data files as an input whose digest does not change with the spelling of names."""
    module = "finnmake.frontend.canonical"
    return Canonical(source.model, f"{module}:canonicalise_file", companions=f"{module}:external_files")


def plan_compile(source: ModelSource, steps: Sequence[Step], context: LayerContext) -> list[PlannedTask]:
    """All tasks up to and including ``layers``, and the reference."""
    tasks = [_simulator(context), _import(source, context)]
    previous, graph = context.task("import"), "graph/00-import.onnx"
    for number, step in enumerate(steps, 1):
        name = context.task(_step_name(step, steps[: number - 1]))
        target = f"graph/{number:02d}-{_step_name(step, steps[: number - 1])}.onnx"
        tasks.append(_transformation(step, name, previous, graph, target, context))
        previous, graph = name, target
    tasks.append(_layers(previous, graph, context))
    tasks.extend(_reference(source, previous, graph, context))
    return tasks


def _step_name(step: Step, earlier: Sequence[Step]) -> str:
    name = step.transformation.rsplit(":", 1)[-1]
    repeats = sum(other.transformation == step.transformation for other in earlier)
    return f"{name}-{repeats + 1}" if repeats else name


def _simulator(context: LayerContext) -> PlannedTask:
    return PlannedTask(
        name=context.task("simulator"),
        doc="compile the runtime that all RTL simulations share",
        stage=Stage.RTLSIM,
        action=context.rules["verilator_runtime"].action(
            parameters={},
            inputs={},
            outputs={"verilated.a": f"{context.folder}/simulator/verilated.a"},
        ),
    )


def _import(source: ModelSource, context: LayerContext) -> PlannedTask:
    return PlannedTask(
        name=context.task("import"),
        doc=f"read {source.model.name} and check it",
        stage=Stage.IMPORT,
        action=Action(
            mnemonic="Import",
            command=PythonCommand(
                "finnmake.frontend.actions:import_model",
                {"input_datatype": source.input_datatype, "input_scale": source.input_scale},
            ),
            inputs={"in/graph.onnx": canonical_model(source)},
            outputs={
                "out/graph.onnx": f"{context.folder}/graph/00-import.onnx",
                "out/tensors/": f"{context.folder}/graph/tensors",
            },
        ),
    )


def _graph_inputs(previous: str, graph: str, context: LayerContext) -> dict[str, Path | DirectoryOf]:
    return {"in/graph.onnx": context.path(graph), "in/tensors/": DirectoryOf(previous, "out/tensors/")}


def _transformation(
    step: Step, name: str, previous: str, graph: str, target: str, context: LayerContext
) -> PlannedTask:
    return PlannedTask(
        name=name,
        doc=f"transformation {step.transformation.rsplit(':', 1)[-1]}",
        stage=step.stage,
        after=(previous,),
        action=Action(
            mnemonic="Transform",
            command=PythonCommand(
                _TRANSFORM, {"transformation": step.transformation, "arguments": dict(step.arguments)}
            ),
            inputs={**_graph_inputs(previous, graph, context), **(step.files or {})},
            outputs={
                "out/graph.onnx": f"{context.folder}/{target}",
                "out/tensors/": f"{context.folder}/graph/tensors",
            },
        ),
    )


def _layers(previous: str, graph: str, context: LayerContext) -> PlannedTask:
    return PlannedTask(
        name=context.task("layers"),
        doc="write one layer file a layer, and the manifest of layers",
        stage=Stage.LAYERS,
        after=(previous,),
        expands=True,
        action=Action(
            mnemonic="Layers",
            command=PythonCommand("finnmake.flow.actions:write_layers", {}),
            inputs=_graph_inputs(previous, graph, context),
            outputs={
                "out/manifest.json": f"{context.folder}/manifest.json",
                "out/layers/": f"{context.folder}/layers",
            },
        ),
    )


def _reference(source: ModelSource, previous: str, graph: str, context: LayerContext) -> list[PlannedTask]:
    samples: dict[str, Path] = {}
    if source.samples is not None:
        samples["samples.npy"] = source.samples
    if source.labels is not None:
        samples["labels.npy"] = source.labels
    return [
        PlannedTask(
            name=context.task("reference"),
            doc="run the model and the layers on the samples; equal integers or it fails",
            stage=Stage.LAYERS,
            after=(context.task("import"), previous),
            action=Action(
                mnemonic="Reference",
                command=PythonCommand("finnmake.runtime.actions:reference", {}),
                inputs={
                    "model.onnx": canonical_model(source),
                    "imported/graph.onnx": context.path("graph/00-import.onnx"),
                    "imported/tensors/": DirectoryOf(context.task("import"), "out/tensors/"),
                    **_graph_inputs(previous, graph, context),
                    **samples,
                },
                outputs={
                    "out/samples.npy": f"{context.folder}/reference/samples.npy",
                    "out/expected.npy": f"{context.folder}/reference/expected.npy",
                    "out/reference.json": f"{context.folder}/reference/reference.json",
                },
            ),
        )
    ]
