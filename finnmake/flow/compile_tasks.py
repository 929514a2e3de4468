"""The tasks from the model to the manifest of layers: import, one task a transformation, samples and reference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from finnmake.build.action import Action, Canonical, DirectoryOf, Input, PythonCommand
from finnmake.flow.commands import canonical_model_file, model_command
from finnmake.flow.engines import Engines
from finnmake.flow.layer_context import LayerContext
from finnmake.flow.plan import PlannedTask, TargetContext
from finnmake.flow.stages import Stage
from finnmake.flow.transformation_names import find_transformation

FOLDING_FILE = "fold.json"
"""In a target's output folder: the folding that its layers have, as ``ApplyFolding`` takes it."""

NOTES_FILE = "notes.txt"
"""In a target's output folder: what of its folding has been ignored; empty where nothing has."""

USER_FOLDER = "user"
"""In an action's box: the files with names that users chose, which may be those of anything else there."""

Json = str | int | float | bool | None | Sequence["Json"] | Mapping[str, "Json"]


@dataclass(frozen=True)
class Step:
    """One transformation of the flow.

    Attributes:
        transformation: its name, or ``package.module:Class``.
        arguments: of its constructor.
        stage: that it belongs to.
        files: that it reads, by the names under which it finds them.
        folders: where its module lies, where that is no installed package.
        after: steps that make these files.
    """

    transformation: str
    arguments: Mapping[str, Json]
    stage: Stage
    files: Mapping[str, Path | str] | None = None
    folders: tuple[Path, ...] = ()
    after: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of the class."""
        return self.transformation.rpartition(":")[2]

    def command(self) -> PythonCommand:
        """What a worker runs: the transformation of ``in/graph.onnx``."""
        path = find_transformation(self.transformation) or self.transformation
        module = path.partition(":")[0]
        top = module.partition(".")[0]
        return model_command(
            "finnmake.transformation.actions:transform",
            {"transformation": path, "arguments": dict(self.arguments)},
            # Its own sources, not those of all transformations, are what the result depends on.
            modules=(module,),
            packages=() if top == "finnmake" or self.folders else (top,),
            folders=self.folders,
        )


@dataclass(frozen=True)
class ModelSource:
    """What is compiled, how its input is to be read, and what it is verified on."""

    model: Path
    input_datatype: str | None
    input_scale: str | float | None
    samples: Path | None
    labels: Path | None


def user_file(path: Path) -> str:
    """Where an action finds a user's file: under its own name, so that errors say it."""
    return f"{USER_FOLDER}/{path.name}"


def canonical_model(source: ModelSource) -> Canonical:
    """The model file and its data files as an input whose digest does not change with the spelling of names."""
    module = "finnmake.frontend.canonical"
    return canonical_model_file(source.model, f"{module}:canonicalise_file", f"{module}:external_files")


def plan_compile(
    source: ModelSource,
    steps: Sequence[Step],
    context: LayerContext,
    *,
    unfolded: int,
    simulator: Stage = Stage.RTLSIM,
) -> list[PlannedTask]:
    """All tasks up to and including ``layers``, and the reference.

    Args:
        source: the model.
        steps: the transformations, in order.
        context: of the accelerator.
        unfolded: so many of them make the layers; those behind fold and connect them.
        simulator: the stage that first needs the runtime of RTL simulations.
    """
    tasks = [_simulator(context, simulator), _linked_design(context), _import(source, context)]
    imported = "graph/00-import.onnx"
    inputs = graph_inputs(context.task("import"), imported, context)
    tasks.extend(plan_transformations(steps, context.task("import"), inputs, context))
    previous, graph = step_output(steps, context)
    tasks.append(_layers(previous, graph, context))
    # Folding and what follows it change no integer.
    tasks.extend(_reference(source, *step_output(steps[:unfolded], context), context))
    return tasks


def step_names(steps: Sequence[Step]) -> list[str]:
    """Names of the steps: of their classes, numbered from the second of a name on."""
    counts: Counter[str] = Counter()
    names = []
    for step in steps:
        counts[step.name] += 1
        names.append(step.name if counts[step.name] == 1 else f"{step.name}-{counts[step.name]}")
    return names


def step_output(steps: Sequence[Step], context: TargetContext) -> tuple[str, str]:
    """Task and graph file of the last step."""
    name = step_names(steps)[-1]
    return context.task(name), f"graph/{len(steps):02d}-{name}.onnx"


def plan_transformations(
    steps: Sequence[Step], previous: str, inputs: Mapping[str, Input], context: TargetContext
) -> list[PlannedTask]:
    """One task a transformation.

    Args:
        steps: in order.
        previous: the task before the first; "" where there is none.
        inputs: of the first.
        context: of the target.
    """
    tasks = []
    for number, (step, short) in enumerate(zip(steps, step_names(steps), strict=True), 1):
        name, graph = context.task(short), f"graph/{number:02d}-{short}.onnx"
        tasks.append(
            PlannedTask(
                name=name,
                doc=f"transformation {step.name}",
                stage=step.stage,
                after=(*((previous,) if previous else ()), *map(context.task, step.after)),
                action=Action(
                    mnemonic="Transform",
                    command=step.command(),
                    inputs={**inputs, **(step.files or {})},
                    outputs={
                        "out/graph.onnx": f"{context.folder}/{graph}",
                        "out/tensors/": f"{context.folder}/graph/tensors",
                    },
                ),
            )
        )
        previous, inputs = name, graph_inputs(name, graph, context)
    return tasks


def compile_once(context: LayerContext, name: str, rule: str, file: str, stage: Stage, doc: str) -> PlannedTask:
    """Something that simulations share and that depends on no layer.

    Args:
        context: of the accelerator.
        name: of the task.
        rule: that compiles it, without inputs.
        file: its output.
        stage: the first that needs it.
        doc: what is compiled.
    """
    return PlannedTask(
        name=context.task(name),
        doc=f"compile {doc}",
        stage=stage,
        action=context.rules[rule].action(
            parameters={}, inputs={}, outputs={file: f"{context.folder}/simulator/{file}"}
        ),
    )


def _simulator(context: LayerContext, stage: Stage) -> PlannedTask:
    doc = "the runtime and the driver that all RTL simulations share"
    return compile_once(context, "simulator", "verilator_runtime", "verilated.a", stage, doc)


def _linked_design(context: LayerContext) -> PlannedTask:
    doc = "what all designs share that are simulated as their cores"
    rule, file = "verilator_linked_design", "linked_design.o"
    return compile_once(context, "linked_design", rule, file, Stage.STITCHED, doc)


def _import(source: ModelSource, context: LayerContext) -> PlannedTask:
    return PlannedTask(
        name=context.task("import"),
        doc=f"read {source.model.name} and check it",
        stage=Stage.IMPORT,
        action=Action(
            mnemonic="Import",
            command=model_command(
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


def graph_inputs(previous: str, graph: str, context: TargetContext) -> dict[str, Input]:
    """A graph file and its tensors, as inputs of an action."""
    return {"in/graph.onnx": context.path(graph), "in/tensors/": DirectoryOf(previous, "out/tensors/")}


def _layers(previous: str, graph: str, context: LayerContext) -> PlannedTask:
    return PlannedTask(
        name=context.task("layers"),
        doc="write one layer file a layer, and the manifest of layers",
        stage=Stage.LAYERS,
        after=(previous,),
        expands=True,
        action=Action(
            mnemonic="Layers",
            command=model_command("finnmake.flow.actions:write_layers", {"engines": _engines(context.engines)}),
            inputs=graph_inputs(previous, graph, context),
            outputs={
                "out/manifest.json": f"{context.folder}/manifest.json",
                f"out/{FOLDING_FILE}": f"{context.folder}/{FOLDING_FILE}",
                f"out/{NOTES_FILE}": f"{context.folder}/{NOTES_FILE}",
                "out/layers/": f"{context.folder}/layers",
            },
        ),
    )


def _engines(engines: Engines) -> Json:
    """As JSON has it."""
    return engines if isinstance(engines, str) else dict(engines)


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
                command=model_command("finnmake.runtime.actions:reference"),
                inputs={
                    "model.onnx": canonical_model(source),
                    "imported/graph.onnx": context.path("graph/00-import.onnx"),
                    "imported/tensors/": DirectoryOf(context.task("import"), "out/tensors/"),
                    **graph_inputs(previous, graph, context),
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
