"""``finnmake-worker``: runs one action on a remote worker, in the way that a build runs it on its own machine.

An engine that speaks the Remote Execution API lays an action's input tree out and starts the command that
``key.launcher_arguments`` wrote: ``finnmake-worker tool CONTEXT TOOL ARGUMENT...`` or ``finnmake-worker python CONTEXT
FUNCTION ARGUMENTS``. The launcher finds the tools on this machine, checks that they and the Python packages have the
versions that the action's key names, runs the command with the executor that local builds use, and checks the outputs.

Standard output is the action's log. Standard error is empty, or one line of JSON that says why the exit status is not
0: ``what``, ``where``, ``remedy`` and ``kind`` of the error, and ``log``, the path that the error calls the log by. The
status is 1 for the action's failure, ``UNFIT`` for that of a worker which is not what the action needs.

Nothing here belongs to any key: the launcher is that of the worker's installation.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FrameType
from typing import Any

from finnmake.build.action import Action, PythonCommand, ToolCommand
from finnmake.build.digest import FileDigest
from finnmake.build.executor import Executor
from finnmake.build.key import SOURCE_FOLDER, Resolved
from finnmake.build.rules import load_rules
from finnmake.build.sandbox import Scratch
from finnmake.build.sources import Sources
from finnmake.build.tools import Toolbox
from finnmake.build.worker import WorkerPool
from finnmake.errors import FinnmakeError
from finnmake.resources import find_resources

UNFIT = 75
"""Exit status (EX_TEMPFAIL) where the worker is at fault: another one may do."""
CACHES = "var/cache/finnmake"
"""Below Python's prefix: where a worker keeps the tools' own caches, if that folder is there."""


class UnfitError(FinnmakeError):
    """This machine is not what the action needs."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one action in the current directory.

    Returns:
        The exit status: 0, 1 for an action that failed, ``UNFIT``.
    """
    kind, context, *rest = sys.argv[1:] if arguments is None else arguments
    folder = Path(tempfile.mkdtemp(prefix="finnmake-worker-"))
    log = folder / "log"
    try:
        _run(kind, json.loads(context), rest, folder, log)
    except FinnmakeError as error:
        _copy(log)
        _say(error, log)
        return UNFIT if isinstance(error, UnfitError) else 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _say(error: FinnmakeError, log: Path) -> None:
    said = {"kind": type(error).__name__, "what": error.what, "where": error.where, "remedy": error.remedy}
    print(json.dumps({**said, "log": str(log)}), file=sys.stderr)


def _copy(log: Path) -> None:
    sys.stdout.flush()
    with suppress(FileNotFoundError), log.open("rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer)
    sys.stdout.buffer.flush()


def _run(kind: str, context: Mapping[str, Any], rest: list[str], folder: Path, log: Path) -> None:
    _find_caches(folder)
    toolbox = Toolbox(load_rules(find_resources().rules).tools)
    check(toolbox, context["tools"], context["packages"])
    for name in ("home", "tmp"):
        (folder / name).mkdir()
    scratch = Scratch(folder, Path.cwd())
    executor = Executor(toolbox, WorkerPool(folder / "workers.log"), None)

    def stop(number: int, frame: FrameType | None) -> None:
        executor.stop()
        os._exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    resolved = _resolved(kind, context, rest)
    try:
        executor.run(resolved, scratch, log)
    finally:
        executor.stop()
    scratch.collect(tuple(resolved.action.outputs))
    _copy(log)


def _resolved(kind: str, context: Mapping[str, Any], rest: list[str]) -> Resolved:
    tools: dict[str, str] = context["tools"]
    outputs = {path: path for path in context["outputs"]}
    if kind == "tool":
        tool = ToolCommand(tuple(rest), context["environment"], tuple(context["error_patterns"]))
        return Resolved(Action(rest[0], tool, {}, outputs, tuple(tools)), {}, tools, None)
    function, arguments = rest
    folder = Path(SOURCE_FOLDER).absolute()
    paths = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*.py"))}
    packages = tuple({Path(name).parts[0].removesuffix(".py"): None for name in paths})
    command = PythonCommand(function, json.loads(arguments), packages=packages, folders=(folder,))
    # What the guard asks of the sources is which modules there are; their bytes are the engine's business.
    files = dict.fromkeys(paths, FileDigest("", 0, False))
    sources = Sources(files, paths, context["packages"], "", packages)
    return Resolved(Action(function, command, {}, outputs, tuple(tools)), {}, tools, sources)


def check(toolbox: Toolbox, tools: Mapping[str, str], packages: Mapping[str, str]) -> None:
    """Compares the versions of tools and Python packages with those that an action needs.

    Raises:
        UnfitError: with one line for each that is missing or another.
    """
    wrong = []
    for name, wanted in tools.items():
        try:
            found = toolbox.find(name).version
        except FinnmakeError as error:
            found = error.what
        if found != wanted:
            wrong.append(f"{name}: {found}, not {wanted}")
    for name, wanted in packages.items():
        try:
            found = version(name)
        except PackageNotFoundError:
            found = "not installed"
        if found != wanted:
            wrong.append(f"package {name}: {found}, not {wanted}")
    if wrong:
        raise UnfitError(
            "the worker is not what the action needs\n" + "\n".join(f"  {line}" for line in wrong),
            remedy="`finnmake worker doctor` on the worker says what it has",
        )


def _find_caches(folder: Path) -> None:
    """Engines start actions without HOME: say where the tools' caches are before a tool is looked for."""
    kept = Path(sys.prefix) / CACHES
    if kept.is_dir():
        os.environ["XDG_CACHE_HOME"] = str(kept)
    elif "HOME" not in os.environ:
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")


if __name__ == "__main__":
    sys.exit(main())
