"""A workspace with small real tools, and a package of functions for Python commands."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from finnmake.build.action import Action, Input, PythonCommand, ToolCommand
from finnmake.build.outcome import Outcome
from finnmake.build.rebuilder import Rebuilder
from finnmake.build.tools import Tool
from finnmake.build.workspace import Workspace

TOOLS = {
    "sh": Tool("sh", candidates=("bash",)),
    "cp": Tool("cp", candidates=("cp",)),
    "cat": Tool("cat", candidates=("cat",)),
}

FUNCTIONS = '''
"""Functions that Python commands of the tests call."""
import gc
import os
import sys
from pathlib import Path

from finnmake.errors import ModelError


def upper(source: str, target: str) -> None:
    print("upper", source)
    Path(target).write_text(Path(source).read_text().upper())


def refuse(source: str) -> None:
    raise ModelError("the model is bad", where=source, remedy="make it better")


def crash(source: str) -> None:
    raise ZeroDivisionError("one by none")


def garbage(target: str) -> None:
    Path(target).write_text(f"{gc.isenabled()} {gc.get_freeze_count()}")


def threads(target: str) -> None:
    import numpy

    (numpy.ones((300, 300)) @ numpy.ones((300, 300))).sum()
    Path(target).write_text(str(len(list(Path("/proc/self/task").iterdir()))))


def die() -> None:
    os._exit(3)


def read(path: str, target: str) -> None:
    Path(target).write_text(Path(path).read_text())


def swallow(path: str, target: str) -> None:
    try:
        Path(path).read_text()
    except OSError:
        Path(target).write_text("could not read it")


def listing(target: str) -> None:
    Path(target).write_text("\\n".join(sorted(str(path) for path in Path(".").rglob("*"))))


def process(target: str) -> None:
    Path(target).write_text(str(os.getpid()))


def start_program(target: str) -> None:
    import subprocess

    subprocess.run(["true"])


def without_comments(path: str) -> bytes:
    lines = Path(path).read_text().splitlines()
    return "\\n".join(line for line in lines if not line.startswith("#")).encode()


def included(path: str) -> bytes:
    lines = Path(path).read_text().splitlines()
    return "\\n".join(line[8:] for line in lines if line.startswith("include ")).encode()


def with_includes(path: str) -> bytes:
    lines = Path(path).read_text().splitlines()
    folder = Path(path).parent
    texts = [(folder / line[8:]).read_text() if line.startswith("include ") else line for line in lines]
    return "\\n".join(text for text in texts if not text.startswith("#")).encode()
'''


class Project:
    """A workspace folder and a rebuilder for it, opened anew for each build as a new process would."""

    def __init__(self, root: Path, tools: Mapping[str, Tool] = TOOLS, store: Path | None = None) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        if store is not None:
            (root / "finnmake.toml").write_text(f'[store]\npath = "{store}"\n')
        self.tools = tools

    def workspace(self) -> Workspace:
        return Workspace.of(self.root, self.tools)

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def read(self, name: str) -> str:
        return (self.root / name).read_text()

    def build(self, tasks: Mapping[str, Action], *, always: bool = False) -> dict[str, str]:
        """Bring tasks up to date in their order; returns what became of each."""
        found: dict[str, str] = {}
        rebuilder = Rebuilder(self.workspace(), use_bubblewrap=False)
        try:
            rebuilder.state.begin_build()
            for name, action in tasks.items():
                status = rebuilder.status(name, action, may_run=True)
                if status.up_to_date and not always:
                    found[name] = "up_to_date"
                    continue
                outcome: Outcome = rebuilder.execute(name, action, status.reason, always=always)
                found[name] = outcome.how
            rebuilder.end_build([name for name, how in found.items() if how == "up_to_date"])
        finally:
            rebuilder.close()
            rebuilder.state.shut()
        return found

    def rebuilder(self) -> closing[Rebuilder]:
        return closing(Rebuilder(self.workspace(), use_bubblewrap=False))

    def store_files(self, kind: str) -> list[Path]:
        return sorted(path for path in (self.root / ".finnmake" / "store" / kind).rglob("*") if path.is_file())


def shell(
    script: str,
    inputs: Mapping[str, Input],
    outputs: Mapping[str, str],
    *,
    environment: Mapping[str, str] | None = None,
    error_patterns: Sequence[str] = (),
) -> Action:
    """An action that runs a shell script."""
    command = ToolCommand(("sh", "-c", script), environment or {}, tuple(error_patterns))
    return Action("Shell", command, inputs, outputs)


def call(function: str, inputs: Mapping[str, Input], outputs: Mapping[str, str], **arguments: object) -> Action:
    """An action that calls a function of the package ``userpackage``."""
    command = PythonCommand(f"userpackage.functions:{function}", arguments, packages=("userpackage",))
    return Action("Call", command, inputs, outputs)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "workspace")


@pytest.fixture
def userpackage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "python" / "userpackage"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "functions.py").write_text(textwrap.dedent(FUNCTIONS))
    monkeypatch.syspath_prepend(folder.parent)
    return folder
