"""One build graph, written for several build tools: N actions with five inputs each, 100 abreast.

Every action reads three source files of 1 KiB, which others read too, and two outputs of the level above (level 0: five
source files). There are as many source files as actions. Each action is ``cksum INPUT... > OUTPUT``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

WIDTH = 100
SOURCES = 3

FINNMAKE = '''"""The graph as a finnmake target."""
from dataclasses import dataclass, replace
from pathlib import Path

from finnmake.build.action import Action, ToolCommand
from finnmake.build.tools import Tool
from finnmake.build.workspace import Workspace
from finnmake.flow.plan import PlannedTask
from finnmake.flow.stages import Stage
from finnmake.flow.target import Target


@dataclass(frozen=True, kw_only=True)
class Graph(Target):
    def plan(self, workspace: Workspace | None = None) -> list[PlannedTask]:
        tasks = []
        for line in Path(self.model).read_text().splitlines():
            output, *inputs = line.split()
            command = ToolCommand(("sh", "-c", f"cksum {' '.join(inputs)} > {output}"))
            action = Action("Cksum", command, {name: name for name in inputs}, {output: output})
            tasks.append(PlannedTask(f"{self.name}:{output[4:]}", action, "", Stage.IMPORT))
        return tasks

    def workspace(self) -> Workspace:
        return replace(super().workspace(), tools={"sh": Tool("sh", candidates=("bash",))})


graph = Graph(model="graph.txt", name="graph")
'''

DOIT = """from pathlib import Path


def task_graph():
    for line in Path("graph.txt").read_text().splitlines():
        output, *inputs = line.split()
        actions = [f"cksum {' '.join(inputs)} > {output}"]
        yield {"name": output, "actions": actions, "file_dep": inputs, "targets": [output]}
"""


@dataclass(frozen=True)
class Node:
    """One action: the file that it makes and those that it reads."""

    output: str
    inputs: tuple[str, ...]


def nodes(count: int) -> list[Node]:
    """The actions in an order that can be executed."""
    found: list[Node] = []
    for number in range(count):
        sources = [f"src/{(number + index) % count}" for index in range(SOURCES)]
        if number < WIDTH:
            above = [f"src/{(number + index) % count}" for index in (SOURCES, SOURCES + 1)]
        else:
            first = number // WIDTH * WIDTH - WIDTH
            above = [f"out/{first + number % WIDTH}", f"out/{first + (number + 1) % WIDTH}"]
        found.append(Node(f"out/{number}", (*sources, *above)))
    return found


def write_sources(folder: Path, count: int) -> None:
    """The source files, 1 KiB each."""
    (folder / "src").mkdir(parents=True)
    (folder / "out").mkdir()
    for number in range(count):
        (folder / "src" / str(number)).write_text(f"{number:08}".ljust(1024))


def write_finnmake(folder: Path, count: int) -> None:
    """``dodo.py`` for finnmake."""
    (folder / "graph.txt").write_text("".join(f"{node.output} {' '.join(node.inputs)}\n" for node in nodes(count)))
    (folder / "dodo.py").write_text(FINNMAKE)


def write_doit(folder: Path, count: int) -> None:
    """``dodo.py`` for doit alone."""
    write_finnmake(folder, count)
    (folder / "dodo.py").write_text(DOIT)


def write_ninja(folder: Path, count: int) -> None:
    """``build.ninja``."""
    lines = ["rule cksum\n  command = cksum $in > $out\n"]
    lines += [f"build {node.output}: cksum {' '.join(node.inputs)}\n" for node in nodes(count)]
    (folder / "build.ninja").write_text("".join(lines))


def write_make(folder: Path, count: int) -> None:
    """``Makefile``."""
    graph = nodes(count)
    lines = [f"all: {' '.join(node.output for node in graph)}\n"]
    lines += [f"{node.output}: {' '.join(node.inputs)}\n\tcksum $^ > $@\n" for node in graph]
    (folder / "Makefile").write_text("".join(lines))


def write_bazel(folder: Path, count: int) -> None:
    """``WORKSPACE`` and ``BUILD``: one genrule an action."""
    (folder / "WORKSPACE").write_text("")
    lines = []
    for node in nodes(count):
        inputs = ", ".join(f'"{name}"' for name in node.inputs)
        lines.append(
            f'genrule(name = "{node.output.replace("/", "_")}", srcs = [{inputs}], outs = ["{node.output}"], '
            'cmd = "cksum $(SRCS) > $@")\n'
        )
    (folder / "BUILD").write_text("".join(lines))
