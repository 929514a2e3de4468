"""A folder with a build file of small shell actions, and the command line on it: nothing of the compiler."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

DODO = '''
from pathlib import Path

from finnmake.build.action import Action, ToolCommand
from finnmake.build.doit_tasks import action_task
from finnmake.build.tools import Tool
from finnmake.build.workspace import Workspace

WORKSPACE = Workspace.of(__file__, {"sh": Tool("sh", candidates=("bash",))})


def task(name, script, *inputs, expanding=False):
    files = {path: Path(path) if path in ("model", "part") else Path("out", path) for path in inputs}
    action = Action("Shell", ToolCommand(("sh", "-c", script), {"MODE": "fast"}), files, {"o": f"out/{name}"})
    return action_task(f"net:{name}", action, workspace=WORKSPACE, expanding=expanding)


class Net:
    """Layers are the words of a file that an action makes: the graph is known only when it has run."""

    def create_doit_tasks(self):
        yield task("list", "cat model > o", "model", expanding=True)
        listed = Path("out/list")
        words = listed.read_text().split() if listed.exists() else []
        for word in words:
            yield task(word, f"cat part > o; echo {word} >> o", "part", "list")
        if words:
            yield task("all", f"cat {' '.join(words)} > o", *words)


net = Net()


def task_plain():
    needed = ["out/all"] if Path("out/all").exists() else []
    return {"actions": ["touch plain"], "targets": ["plain"], "file_dep": needed}
'''


@dataclass(frozen=True)
class SmallBuild:
    """Tasks ``net:list``, one for each word of ``model``, and ``net:all``; ``plain`` is a task of doit's own."""

    folder: Path

    @classmethod
    def create(cls, folder: Path, configuration: str = "", model: str = "a b\n") -> SmallBuild:
        """A new one, not yet built."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "dodo.py").write_text(DODO)
        (folder / "model").write_text(model)
        (folder / "part").write_text("part\n")
        (folder / "finnmake.toml").write_text(configuration)
        return cls(folder)

    def finnmake(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """``finnmake -C FOLDER …`` as a process of its own."""
        return self._run("finnmake.cli", "-C", str(self.folder), *arguments)

    def json(self, *arguments: str, status: int = 0) -> Any:
        """What a command prints with ``--json``."""
        done = self.finnmake(*arguments, "--json")
        assert done.returncode == status, done.stdout + done.stderr
        return json.loads(done.stdout)

    def build(self, *selection: str, profile: str = "") -> dict[str, int]:
        """Builds; how many actions came to each outcome."""
        program = (
            "import json, sys; from pathlib import Path; from finnmake.build.api import build\n"
            "r = build(Path('dodo.py'), sys.argv[2:], profile=Path(sys.argv[1]) if sys.argv[1] else None)\n"
            "assert r.ok, r.failures\n"
            "print(json.dumps(dict(r.actions)))"
        )
        done = self._process([sys.executable, "-c", program, profile, *selection])
        assert done.returncode == 0, done.stdout + done.stderr
        counts: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
        return {outcome: count for outcome, count in counts.items() if count}

    def _run(self, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        done = self._process([sys.executable, "-m", module, *arguments])
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def _process(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
