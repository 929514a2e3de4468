"""What all targets of a build file have in common: a model, a name, a folder, tasks."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from finnmake.build.doit_tasks import action_task, renewed
from finnmake.build.rules import RuleSet, load_rules
from finnmake.build.workspace import Workspace
from finnmake.errors import BuildFileError
from finnmake.flow.arguments import PATH, TEXT, Argument, check_arguments
from finnmake.flow.plan import PlannedTask
from finnmake.resources import find_resources

BUILD_FILE = "dodo.py"


@dataclass(frozen=True, kw_only=True)
class Target(ABC):
    """A target of a build file; doit takes its tasks from it.

    Attributes:
        model: the ONNX file, relative to ``directory``.
        name: of the target; by default the model's file name up to its first dot, as an identifier.
        output: folder of everything that is built, relative to ``directory``.
        directory: folder of the build file, which all other paths are relative to; by default the current folder,
            which is the build file's when doit loads it.
    """

    model: str
    name: str = ""
    output: str = ""
    directory: Path = field(default_factory=Path.cwd)

    # Beside those that the name is made of.
    ARGUMENTS: ClassVar[Mapping[str, Argument]] = {"output": PATH, "directory": PATH}

    def __post_init__(self) -> None:
        check_arguments(self, {"model": PATH, "name": TEXT}, where=type(self).__name__)
        if not self.name:
            name = re.sub(r"[^A-Za-z0-9_]+", "_", Path(self.model).name.split(".")[0])
            object.__setattr__(self, "name", name if re.match(r"[A-Za-z_]", name) else f"_{name}")
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", self.name):
            raise BuildFileError(
                f"{self.name!r} cannot name a target", remedy="Use letters, digits and underscores, no digit first."
            )
        check_arguments(self, self.ARGUMENTS, where=self.name)
        if not self.output:
            object.__setattr__(self, "output", f"build/{self.name}")
        # The folder of the build file is not the current one any more when the tasks are planned.
        object.__setattr__(self, "directory", Path(os.path.abspath(self.directory)))  # noqa: PTH100 (links are kept)

    @abstractmethod
    def plan(self, workspace: Workspace | None = None) -> list[PlannedTask]:
        """All tasks known so far.

        Raises:
            BuildFileError: for files or values that are not there.
        """

    def create_doit_tasks(self) -> Iterator[dict[str, Any]]:
        """The tasks as doit wants them: a group named after the target, and its subtasks."""
        workspace = self.workspace()
        place = (workspace.root, os.getcwd())  # noqa: PTH109 (as in action_task)
        for planned in self.plan(workspace):
            before = self._made.get(planned.name)
            if before is not None and before[0] is planned and before[1] == place:
                yield renewed(before[2], workspace)
                continue
            task = action_task(
                planned.name,
                planned.action,
                doc=planned.doc,
                task_dep=planned.after,
                workspace=workspace,
                expanding=planned.expands,
                final=planned.is_final,
            )
            self._made[planned.name] = (planned, place, task)
            # Doit takes dictionaries to pieces.
            yield dict(task)

    @cached_property
    def _made(self) -> dict[str, tuple[PlannedTask, tuple[Path, str], dict[str, Any]]]:
        """Of each name the last task that doit was given, with what it was made of."""
        return {}

    def workspace(self) -> Workspace:
        """The workspace that holds state and store of this build file."""
        build_file = self.directory / BUILD_FILE
        return Workspace.of(build_file if build_file.is_file() else self.directory, self._rules.tools)

    def folder(self) -> Path:
        """Where everything is built."""
        # Without the ".." of what users write, links kept: as the workspace's own path.
        return Path(os.path.normpath(self.directory / self.output))

    def model_path(self) -> Path:
        """The model file.

        Raises:
            BuildFileError: it is not there.
        """
        return self._existing(self.model, "model")

    @cached_property
    def _rules(self) -> RuleSet:
        return load_rules(find_resources().rules)

    def _folder_in(self, workspace: Workspace) -> str:
        folder = self.folder()
        if not folder.is_relative_to(workspace.root):
            raise BuildFileError(
                f"the output folder {self.output} lies outside of the workspace {workspace.root}",
                where=self.name,
                remedy="Name a folder inside, or put a finnmake.toml into a folder around both.",
            )
        for own in (workspace.state_folder, workspace.store):
            if folder.is_relative_to(own):
                raise BuildFileError(
                    f"the output folder {self.output} lies in {own}, which is finnmake's own",
                    where=self.name,
                    remedy=f"Name another folder, for example build/{self.name}.",
                )
        if (folder / BUILD_FILE).exists():
            # Its fold.json, manifest.json and others are written over by those of the build.
            raise BuildFileError(
                f"the output folder {self.output} is that of a build file, whose files it would write over",
                where=self.name,
                remedy=f"Name a folder of its own, for example build/{self.name}.",
            )
        return folder.relative_to(workspace.root).as_posix()

    def _existing(self, name: str | Path, what: str) -> Path:
        path = self.directory / name
        if not path.is_file():
            raise BuildFileError(f"there is no {what} {name}", where=self.name, remedy=f"Looked for {path}.")
        return path
