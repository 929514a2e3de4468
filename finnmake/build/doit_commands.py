"""doit's commands, with engine tasks. In a folder whose dodo.py has none they are doit's own.

Registered under the entry-point group ``doit.COMMAND``, so that plain ``doit`` uses them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from doit.cmd_base import check_tasks_exist
from doit.cmd_clean import Clean as DoitClean
from doit.cmd_forget import Forget as DoitForget
from doit.cmd_info import Info as DoitInfo
from doit.cmd_list import List as DoitList
from doit.exceptions import InvalidCommand
from doit.task import Task

from finnmake.build.cleaning import clean, remove_leftovers
from finnmake.build.doit_run import Run
from finnmake.build.engine_command import EngineCommand

__all__ = ["Clean", "Forget", "Info", "List", "Run", "Why"]


class List(EngineCommand, DoitList):  # type: ignore[misc] # doit is untyped
    """``doit list``."""

    name = "list"

    def _print_task(self, template: str, task: Task, status: bool, list_deps: bool, tasks: dict[str, Task]) -> None:
        if not self.session.tasks:
            self.adopt()
        super()._print_task(template, task, status, list_deps, tasks)


class Info(EngineCommand, DoitInfo):  # type: ignore[misc] # doit is untyped
    """``doit info``: with the reason why an engine task would be executed."""

    name = "info"

    def _execute(self, pos_args: list[str], hide_status: bool = False) -> int:
        self.adopt()
        check_tasks_exist({task.name for task in self.task_list}, pos_args)
        result: int = super()._execute(pos_args, hide_status)
        return result

    @staticmethod
    def get_reasons(reasons: Any) -> str:
        """Why a task is not up to date."""
        lines = [f" * {reason}" for reason in reasons.pop("finnmake", ())]
        return "\n".join([*lines, *filter(None, [DoitInfo.get_reasons(reasons)])])


class Forget(EngineCommand, DoitForget):  # type: ignore[misc] # doit is untyped
    """``doit forget``: the state forgets; the store does not."""

    name = "forget"

    def _execute(self, forget_sub: bool, forget_disable_default: bool, forget_all: bool) -> int:
        if self.adopt() and self.sel_tasks is None and not forget_disable_default:
            self.sel_tasks = [task.name for task in self.task_list if not task.subtask_of]
        result: int = super()._execute(forget_sub, forget_disable_default, forget_all)
        return result


class Clean(EngineCommand, DoitClean):  # type: ignore[misc] # doit is untyped
    """``doit clean``: removes outputs, also those of tasks that earlier, larger graphs had."""

    name = "clean"

    def clean_tasks(self, tasks: Iterable[Task], dryrun: bool, cleanforget: bool) -> None:
        """Clean the tasks that were selected."""
        tasks = list(tasks)
        self.adopt()
        self.session.open_all()
        super().clean_tasks([task for task in tasks if task.name not in self.session.tasks], dryrun, cleanforget)
        groups = {task.name.partition(":")[0] for task in tasks}
        for task in tasks:
            if task.name in self.session.tasks:
                rebuilder = self.session.rebuilder(task.name)
                record = rebuilder.state.tasks.get(task.name)
                if record is not None:
                    outputs = self.session.tasks[task.name].action.outputs
                    folders = [place for scratch, place in outputs.items() if scratch.endswith("/")]
                    self._say(task.name, clean(rebuilder.workspace.root, record, folders, dry_run=dryrun))
                if cleanforget and not dryrun:
                    self.dep_manager.remove(task.name)
        for rebuilder in self.session.rebuilders:
            for record in list(rebuilder.state.tasks.values()):
                group = record.name.partition(":")[0]
                everything = not self.pos_args and record.origin == rebuilder.workspace.origin
                if record.name not in self.session.tasks and (
                    everything or (group in self.pos_args and group in groups)
                ):
                    self._say(record.name, clean(rebuilder.workspace.root, record, dry_run=dryrun))
                    if not dryrun:
                        rebuilder.state.remove_task(record.name)
            if not self.pos_args:
                self._say("earlier tasks", remove_leftovers(rebuilder.workspace.root, rebuilder.state, dry_run=dryrun))

    def _say(self, name: str, removed: Iterable[str]) -> None:
        for path in removed:
            self.outstream.write(f"{name} - removing file '{path}'\n")


class Why(EngineCommand):
    """``doit why``: what made each action of the last build run, or would make it run now."""

    name = "why"
    doc_purpose = "say which input, argument, tool or source made each action of the last build run"
    doc_usage = "[--now] [TASK ...]"
    doc_description = None
    cmd_options = (
        {
            "name": "now",
            "short": "",
            "long": "now",
            "type": bool,
            "default": False,
            "help": "say which actions would run now, and why",
        },
    )

    def _execute(self, pos_args: list[str], now: bool = False) -> int:
        from finnmake.build.why import explain, explain_now

        self.adopt()
        self.session.open_all()
        names = set(self.session.tasks)
        groups = {task.name for task in self.task_list if task.has_subtask}
        for argument in pos_args:
            if argument not in names | groups:
                raise InvalidCommand(f"'{argument}' is not a task with an action key.")
        if now:
            for name, task in self.session.tasks.items():
                if not pos_args or name in pos_args or name.partition(":")[0] in pos_args:
                    lines = explain_now(self.session.rebuilder(name), name, task.action)
                    self.outstream.writelines(f"{line}\n" for line in lines)
            return 0
        for rebuilder in self.session.rebuilders:
            for line in explain(rebuilder.state, pos_args):
                self.outstream.write(f"{line}\n")
        return 0
