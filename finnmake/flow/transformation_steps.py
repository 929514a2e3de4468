"""From what a user writes for a transformation in a build file to a planned step."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from finnmake.errors import BuildFileError
from finnmake.flow.compile_tasks import Json, Step, user_file
from finnmake.flow.stages import Stage
from finnmake.flow.transformation_names import find_transformation, transformation_paths


class TransformationObject(Protocol):
    """A transformation that has been made: it knows its constructor's arguments."""

    @property
    def arguments(self) -> Mapping[str, Any]:
        """By the names of the constructor's parameters."""


TransformationEntry = str | type | tuple[str | type, Mapping[str, Any]] | TransformationObject
"""A transformation in a build file: its name, ``"Streamline"`` or ``"package.module:Class"``; its class; either with a
table of arguments; or an object of it, ``MyTransform(bits=4)``. Names load nothing, classes and objects load ONNX."""


def transformation_steps(entries: Sequence[TransformationEntry], directory: Path, stage: Stage) -> list[Step]:
    """The steps of a list of transformations.

    Args:
        entries: as users write them.
        directory: of the build file, for modules and files beside it.
        stage: that the steps belong to.

    Raises:
        BuildFileError: an entry is no transformation, or an argument is no JSON value.
    """
    if isinstance(entries, str | Mapping) or not hasattr(entries, "__iter__"):
        raise BuildFileError(f"transformations={entries!r} is no list of transformations")
    return [_step(entry, directory, stage) for entry in entries]


def _step(entry: TransformationEntry, directory: Path, stage: Stage) -> Step:
    arguments: Mapping[str, Any] = {}
    kind: object = entry
    if isinstance(entry, tuple | list):
        pair: list[Any] = list(entry)  # whatever a user wrote
        if len(pair) != 2 or not isinstance(pair[1], Mapping):
            raise _no_transformation(entry)
        kind, arguments = pair
    elif not isinstance(entry, str | type):
        kind, arguments = type(entry), getattr(entry, "arguments", None) or {}
    if isinstance(kind, str):
        path = find_transformation(kind) or (kind if ":" in kind else None)
        if path is None:
            known = ", ".join(sorted(transformation_paths()))
            raise BuildFileError(
                f"no transformation is called {kind!r}", remedy=f'Write "package.module:Class" or one of: {known}.'
            )
    elif isinstance(kind, type) and hasattr(kind, "apply"):
        path = _path_of(kind)
    else:
        raise _no_transformation(entry)
    values, files = _arguments(path, arguments, directory)
    module, _, name = path.partition(":")
    if not name.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
        raise BuildFileError(f"no transformation is called {path!r}", remedy='Write "package.module:Class".')
    return Step(path, values, stage, files, folders=(directory,) if _is_beside(module, directory) else ())


def _no_transformation(entry: object) -> BuildFileError:
    return BuildFileError(
        f"{entry!r} is no transformation", remedy='Write a name, ("name", {argument: value}), a class or an object.'
    )


def _path_of(kind: type) -> str:
    # A build file is executed, not imported: doit calls it "dodo", finnmake "<run_path>".
    if kind.__module__ in ("dodo", "__main__") or not kind.__module__.replace(".", "").isidentifier():
        raise BuildFileError(
            f"the transformation {kind.__name__} is defined in the build file",
            remedy="Put it into a module beside the build file and import it: workers cannot import a build file.",
        )
    if not kind.__qualname__.isidentifier():
        raise BuildFileError(
            f"the transformation {kind.__qualname__} is defined inside of something else",
            where=f"module {kind.__module__}",
            remedy="Define it at the top of its module.",
        )
    return f"{kind.__module__}:{kind.__qualname__}"


def _arguments(path: str, arguments: Mapping[str, Any], directory: Path) -> tuple[dict[str, Json], dict[str, Path]]:
    values: dict[str, Json] = {}
    files: dict[str, Path] = {}
    for name, value in arguments.items():
        if isinstance(value, Path):
            # A file is an input of the action.
            file = directory / value
            if not file.is_file():
                raise BuildFileError(f"there is no file {value}", where=f"{path}, {name}")
            values[name] = user_file(file)
            if files.setdefault(user_file(file), file) != file:
                raise BuildFileError(f"two files are called {file.name}", where=path, remedy="Rename one of them.")
            continue
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            raise BuildFileError(
                f"its argument {name}={value!r} is no JSON value",
                where=f"transformation {path}",
                remedy="Arguments are numbers, texts, lists and tables, which enter the key; a file is a pathlib.Path.",
            ) from None
        values[name] = value
    return values, files


def _is_beside(module: str, directory: Path) -> bool:
    """Whether a module lies in the build file's folder."""
    top = module.partition(".")[0]
    return top != "finnmake" and ((directory / top).is_dir() or (directory / f"{top}.py").is_file())
