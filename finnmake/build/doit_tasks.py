"""Actions as doit tasks."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, Protocol

from doit.action import BaseAction
from doit.exceptions import BaseFail, TaskFailed
from doit.task import Task

from finnmake.build.action import Action, Canonical, DirectoryOf, is_plain
from finnmake.build.workspace import Workspace


class Performer(Protocol):
    """Who executes engine actions: the session of the running command."""

    def perform(self, name: str) -> BaseFail | None:
        """Bring a task up to date; the failure if it failed."""


class EngineAction(BaseAction):  # type: ignore[misc] # doit is untyped
    """The doit action of an engine task. The command that runs it gives it its ``performer``."""

    def __init__(self, action: Action, workspace: Workspace, *, expanding: bool, final: bool = False) -> None:
        self.action = action
        self.workspace = workspace
        self.expanding = expanding
        self.final = final
        self.performer: Performer | None = None
        # What doit's runners and reporters read from any action.
        self.task: Any = None
        self.values: dict[str, Any] = {}
        self.result: Any = None
        self.out: str | None = None
        self.err: str | None = None

    def execute(self, out: IO[str] | None = None, err: IO[str] | None = None) -> BaseFail | None:
        """Bring the task up to date."""
        if self.performer is None:
            return TaskFailed(
                "this task needs finnmake's doit commands, which are not installed\n"
                "  pip install finnmake, or in its checkout: pip install -e ."
            )
        return self.performer.perform(self.task.name)

    def __str__(self) -> str:
        return f"finnmake {self.action.mnemonic}"


def renewed(task: dict[str, Any], workspace: Workspace) -> dict[str, Any]:
    """A task that ``action_task`` has made, once more, for doit to load again: with an action that has no past."""
    (action,) = task["actions"]
    again = EngineAction(action.action, workspace, expanding=action.expanding, final=action.final)
    return {**task, "actions": [again]}


def engine_action_of(task: Task) -> EngineAction | None:
    """The engine action of a task; None for any other kind of task."""
    actions = task._actions
    if len(actions) == 1 and isinstance(actions[0], EngineAction):
        return actions[0]
    return None


def action_task(
    name: str,
    action: Action,
    *,
    workspace: Workspace,
    doc: str = "",
    task_dep: Iterable[str] = (),
    expanding: bool = False,
    final: bool = False,
) -> dict[str, Any]:
    """A task that a doit task creator may yield.

    Args:
        name: ``group:step``, or one word for a task without group.
        action: what it does. Inputs that other tasks produce order the tasks.
        workspace: what the action's paths are relative to.
        doc: one line for ``doit list``.
        task_dep: tasks that must be done first besides those that make inputs.
        expanding: the task writes something that the task creators read to make further tasks. It is brought up to
            date first and the creators are called again. They must yield their other tasks on a clean tree too, and
            run nothing.
        final: its outputs are for the user, not only for other tasks: they are here even if a remote engine makes them.
    """
    folder, root = os.getcwd(), str(workspace.root)  # noqa: PTH109 (called for every task)
    files: list[str] = []
    tasks = list(task_dep)
    for scratch, source in action.inputs.items():
        if isinstance(source, DirectoryOf):
            tasks.append(source.task)
        elif isinstance(source, Canonical):
            files.append(_path(root, source.path, folder))
        elif not scratch.endswith("/"):
            files.append(_path(root, source, folder))
    group, colon, step = name.partition(":")
    result: dict[str, Any] = {
        "basename": group,
        "actions": [EngineAction(action, workspace, expanding=expanding, final=final)],
        "file_dep": list(dict.fromkeys(files)),
        "task_dep": list(dict.fromkeys(tasks)),
        # Not the directories: tasks may share one, for files that are named by their content, and doit allows no
        # shared targets.
        "targets": [
            _path(root, place, folder) for scratch, place in action.outputs.items() if not scratch.endswith("/")
        ],
        "doc": doc or None,
    }
    if colon:
        result["name"] = step
    return result


def _path(root: str, path: Path | str, folder: str) -> str:
    """As a doit user writes it: relative to the build file where it can be. Equal files must have equal texts."""
    # Not with pathlib, and not more than needed: this is called for every file of every task.
    if root == folder and isinstance(path, str) and is_plain(path):
        return path
    return _normal(root, path, folder)


@lru_cache(8192)
def _normal(root: str, path: Path | str, folder: str) -> str:
    # Tasks share the files that no task makes: sources of kernels, scripts of rules.
    text, prefix = os.path.normpath(os.path.join(root, path)), f"{folder}/"  # noqa: PTH118
    return text[len(prefix) :] if text.startswith(prefix) else text
