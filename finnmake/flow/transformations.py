"""What a user writes in ``dodo.py`` for a chain of transformations of their own: from a model to a graph file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from finnmake.build.action import Action, Input
from finnmake.build.workspace import Workspace
from finnmake.errors import BuildFileError
from finnmake.flow.arguments import PATH, Argument
from finnmake.flow.commands import model_command
from finnmake.flow.compile_tasks import graph_inputs, plan_transformations, step_output
from finnmake.flow.plan import PlannedTask, TargetContext
from finnmake.flow.stages import Stage
from finnmake.flow.target import Target
from finnmake.flow.transformation_steps import TransformationEntry, transformation_steps


@dataclass(frozen=True, kw_only=True)
class Transformations(Target):
    """A list of transformations, each of which is one cached action.

    The model is taken as it is, as ``ModelWrapper(path)`` takes it. Each transformation reads the graph file of the one
    before it and writes ``graph/NN-Name.onnx`` in the output folder.

    Attributes:
        model: the ONNX file, relative to ``directory``.
        transformations: names (``"Streamline"``, ``"absorb.AbsorbAddIntoMultiThreshold"``,
            ``"package.module:MyTransform"``), ``(name, {argument: value})``, classes or objects. Names load nothing; to
            make classes or objects, the build file imports ONNX. A class of the user's own lies in an installed package
            or in a module beside the build file; an edit of it runs it, and what comes after it if its output changes.
        samples: ``.npy`` of inputs. With them the last graph is executed beside the model; equal outputs or it fails.
        name: of the target; by default the model's file name up to its first dot, as an identifier.
        output: folder of everything that is built, relative to ``directory``.
        directory: folder of the build file, which all other paths are relative to.
    """

    transformations: Sequence[TransformationEntry]
    samples: str | None = None

    ARGUMENTS: ClassVar[Mapping[str, Argument]] = {**Target.ARGUMENTS, "samples": PATH}

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.transformations:
            raise BuildFileError("there are no transformations", where=self.name, remedy="Name at least one.")

    def plan(self, workspace: Workspace | None = None) -> list[PlannedTask]:
        """All tasks: one a transformation, and the comparison where there are samples.

        Raises:
            BuildFileError: a file or a transformation is not there, an argument is no JSON value.
        """
        workspace = workspace or self.workspace()
        context = TargetContext(self.name, self._folder_in(workspace), workspace.root)
        steps = transformation_steps(self.transformations, self.directory, Stage.IMPORT)
        tasks = plan_transformations(steps, "", self._model_inputs(), context)
        if self.samples is not None:
            samples = self._existing(self.samples, "samples file")
            last, graph = step_output(steps, context)
            tasks.append(
                PlannedTask(
                    name=context.task("verify"),
                    doc="run the model and the last graph on the samples; equal outputs or it fails",
                    stage=Stage.IMPORT,
                    after=(last,),
                    action=Action(
                        mnemonic="Verify",
                        command=model_command("finnmake.runtime.verification:verify"),
                        inputs={
                            **{
                                f"model/{name.removeprefix('in/')}": path for name, path in self._model_inputs().items()
                            },
                            **graph_inputs(last, graph, context),
                            "samples.npy": samples,
                        },
                        outputs={"out/verified.json": f"{context.folder}/verified.json"},
                    ),
                )
            )
        return tasks

    def _model_inputs(self) -> dict[str, Input]:
        """The model and, as PyTorch's exporter writes it, a file of its weights beside it."""
        model = self.model_path()
        data = model.with_name(f"{model.name}.data")
        return {"in/graph.onnx": model, **({f"in/{data.name}": data} if data.is_file() else {})}
