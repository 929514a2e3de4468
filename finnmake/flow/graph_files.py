"""Graph files as users name them on the command line: a path, or a target of the build file and a step of it."""

from __future__ import annotations

from pathlib import Path

from finnmake.errors import BuildFileError
from finnmake.flow.build_files import load_build_file
from finnmake.flow.target import BUILD_FILE


def graph_file(text: str) -> Path:
    """The graph file that a user names.

    Args:
        text: path of an ``.onnx`` file; or ``TARGET:STEP`` for the graph that a step of the build file in the current
            folder has made, for example ``mnist_mlp:Streamline``; or ``TARGET`` for the last graph there is of it.

    Raises:
        BuildFileError: there is no such file, target or step, or the step has not been built yet.
    """
    path = Path(text)
    if path.suffix == ".onnx" or path.is_file():
        if not path.is_file():
            raise BuildFileError(f"there is no model {text}", remedy=f"Looked for {path.absolute()}.")
        return path
    name, _, step = text.partition(":")
    targets = load_build_file(Path(BUILD_FILE))
    if name not in targets:
        raise BuildFileError(
            f"there is no target {name!r}",
            where=BUILD_FILE,
            remedy=f"Known: {', '.join(targets)}; or name an .onnx file.",
        )
    target = targets[name]
    workspace = target.workspace()
    graphs = {
        planned.name.partition(":")[2]: workspace.root / place
        for planned in target.plan(workspace)
        for place in planned.action.outputs.values()
        if place.endswith(".onnx")
    }
    if not step:
        built = [path for path in graphs.values() if path.is_file()]
        if not built:
            raise BuildFileError("no graph of it has been built", where=name, remedy=f"Run: finnmake build {name}.")
        return built[-1]
    if step not in graphs:
        raise BuildFileError(
            f"no step {step!r} makes a graph file", where=name, remedy=f"Steps that do: {', '.join(graphs)}."
        )
    if not graphs[step].is_file():
        raise BuildFileError("has not been built yet", where=text, remedy=f"Run: finnmake build {text}.")
    return graphs[step]
