"""``finnmake query``: what a target needs, what needs it, how they are connected, what it makes."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from finnmake.errors import BuildFileError

if TYPE_CHECKING:
    from finnmake.build.task_graph import TaskGraph

KINDS = {
    "deps": "what TARGET needs, and TARGET itself",
    "rdeps": "what needs TARGET, and TARGET itself",
    "path": "the shortest chain from TARGET to TARGET2, which it needs",
    "outputs": "the files and folders that TARGET makes",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of ``finnmake query``."""
    kinds = parser.add_subparsers(required=True, dest="kind", metavar="deps|rdeps|path|outputs")
    for kind, purpose in KINDS.items():
        command = kinds.add_parser(kind, help=purpose, description=f"Print {purpose}, one a line.")
        command.add_argument("target", metavar="TARGET", help="a task as `doit list --all` names it, or a group")
        if kind == "path":
            command.add_argument("needed", metavar="TARGET2", help="a task or group that TARGET needs")
        if kind in ("deps", "rdeps"):
            command.add_argument("--depth", type=int, metavar="N", help="steps to follow (default: all)")
        command.add_argument("--json", action="store_true", help="print JSON")


def query_command(options: argparse.Namespace) -> int:
    """Prints the answer.

    Returns:
        0, or 1 where there is no such path.
    """
    from finnmake.build.inspection import inspect
    from finnmake.flow.target import BUILD_FILE

    if getattr(options, "depth", None) is not None and options.depth < 0:
        raise BuildFileError(f"--depth {options.depth}", remedy="Say 0 or more.")
    graph = inspect(Path(BUILD_FILE), lambda inspection: inspection.graph)
    answers: Mapping[str, Callable[[TaskGraph], list[str]]] = {
        "deps": lambda graph: graph.dependencies(options.target, options.depth),
        "rdeps": lambda graph: graph.dependents(options.target, options.depth),
        "path": lambda graph: _path(graph, options.target, options.needed),
        "outputs": lambda graph: [path for task in graph.members(options.target) for path in graph.outputs[task]],
    }
    found = answers[options.kind](graph)
    what = "outputs" if options.kind == "outputs" else "tasks"
    if options.json:
        print(json.dumps({what: found, "unexpanded": list(graph.unexpanded)}, indent=1))
    else:
        for line in found:
            print(line)
    for task in graph.unexpanded:
        print(f"finnmake: note: more tasks of its group are known when {task} has been built", file=sys.stderr)
    return 0


def _path(graph: TaskGraph, name: str, needed: str) -> list[str]:
    chain = graph.path(name, needed)
    if not chain:
        other = f" {needed} needs {name}: swap them." if graph.path(needed, name) else ""
        raise BuildFileError(f"{name} does not need {needed}", remedy=f"There is no path.{other}")
    return chain
