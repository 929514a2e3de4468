"""Looking at the tasks of a build file without building: their graph, their keys as they are now."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from doit.control import TaskControl
from doit.exceptions import InvalidCommand, InvalidDodoFile, InvalidTask

from finnmake.build.api import BuildFileLoader
from finnmake.build.engine_command import EngineCommand
from finnmake.build.session import Session
from finnmake.build.task_graph import TaskGraph
from finnmake.errors import BuildFileError

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Inspection:
    """The loaded tasks.

    Attributes:
        session: knows the engine tasks; its workspaces are open.
        graph: of all tasks.
    """

    session: Session
    graph: TaskGraph

    def engine_tasks(self, names: tuple[str, ...]) -> list[str]:
        """The tasks with an action key among these tasks and groups, each once, what is needed first.

        Args:
            names: empty for all.

        Raises:
            BuildFileError: a name is unknown, or is that of a task of doit's own.
        """
        found = {task for name in names for task in self.graph.members(name)} if names else set(self.graph.needs)
        tasks = sorted(found & self.session.tasks.keys(), key=lambda task: self.graph.order.get(task, 0))
        if names and not tasks:
            raise BuildFileError(
                f"{', '.join(names)}: not a task with an action key", remedy="doit's own tasks have none."
            )
        return tasks


class _Inspect(EngineCommand):
    """Loads the tasks and lets a function look at them."""

    name = "inspect"
    doc_purpose = ""
    doc_usage = ""
    doc_description = None
    cmd_options = ()
    raise_errors = True
    look: Callable[[Inspection], Any]

    def _execute(self) -> int:
        self.adopt()
        control = TaskControl(self.task_list)
        self.session.open_all()
        self.answer = self.look(Inspection(self.session, _graph(self.session, control)))
        return 0


def inspect(build_file: Path, look: Callable[[Inspection], Answer]) -> Answer:
    """What a function says of the tasks of a build file.

    Args:
        build_file: loaded as doit does; its folder becomes the current one.
        look: called once; the workspaces are closed when it returns.

    Raises:
        FinnmakeError: the build file cannot be used, or what ``look`` raises.
    """
    if not build_file.is_file():
        raise BuildFileError(
            f"there is no {build_file.name} in {build_file.parent.absolute()}",
            remedy="Name the folder of a build file with -C.",
        )
    loader = BuildFileLoader(build_file)
    loader.config = {}
    command = _Inspect(task_loader=loader, config={}, bin_name="finnmake", cmds={})
    command.look = look
    params, _ = command.cmdparser.parse([])
    try:
        status = command.execute(params, [])
    except (InvalidCommand, InvalidDodoFile, InvalidTask) as error:
        raise BuildFileError(str(error)) from error
    if status:
        raise KeyboardInterrupt
    answer: Answer = command.answer
    return answer


def _graph(session: Session, control: TaskControl) -> TaskGraph:
    tasks: Mapping[str, Any] = control.tasks
    groups = {name: _members(tasks, name) for name, task in tasks.items() if _is_group(task)}
    needs: dict[str, list[str]] = {}
    outputs: dict[str, list[str]] = {}
    unexpanded = []
    for name, task in tasks.items():
        if name in groups:
            continue
        needs[name] = []
        for dependency in (*task.task_dep, *task.setup_tasks):
            needs[name].extend(groups.get(dependency, [dependency]))
        needs[name] = list(dict.fromkeys(needs[name]))
        outputs[name] = _outputs(session, name, task)
        action = session.tasks.get(name)
        if action is not None and action.expanding and not all(map(os.path.exists, outputs[name])):
            unexpanded.append(name)
    return TaskGraph(needs, groups, outputs, unexpanded)


def _is_group(task: Any) -> bool:
    return bool(task.has_subtask and not task._actions)


def _members(tasks: Mapping[str, Any], group: str) -> list[str]:
    """The tasks of a group, of those inside it too."""
    found: dict[str, None] = {}
    seen = {group}
    waiting = [group]
    while waiting:
        for name in tasks[waiting.pop()].task_dep:
            if not _is_group(tasks[name]):
                found[name] = None
            elif name not in seen:
                seen.add(name)
                waiting.append(name)
    return list(found)


def _outputs(session: Session, name: str, task: Any) -> list[str]:
    action = session.tasks.get(name)
    if action is None:
        return list(task.targets)
    root = action.workspace.root
    return [
        os.path.relpath(root / place) + ("/" if scratch.endswith("/") else "")
        for scratch, place in action.action.outputs.items()
    ]
