"""``python -m finnmake.build.slurm.job JOB``: runs one tool action on a node, as a build runs it on its own machine.

The job file (JSON) lies in the action's scratch directory, which the node sees through the shared file system. The
tools are looked for and their versions checked on the node; the command runs in bubblewrap where the node has it. What
became of it is written last, beside the job file: as long as ``outcome.json`` is not there, the action has no result.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

from finnmake.build.action import Action, ToolCommand
from finnmake.build.executor import Executor, MachineLostError
from finnmake.build.files import write_atomically
from finnmake.build.key import Resolved
from finnmake.build.launcher import check
from finnmake.build.sandbox import Bubblewrap, Scratch
from finnmake.build.tools import Tool, Toolbox
from finnmake.build.worker import WorkerPool
from finnmake.errors import FinnmakeError

JOB = "job.json"
OUTCOME = "outcome.json"
"""Names of the two files in the scratch directory."""


def job_file(resolved: Resolved, tools: Mapping[str, Tool], log: Path, *, bubblewrap: bool) -> bytes:
    """The content of a job file.

    Args:
        resolved: an action of a tool.
        tools: what the rules say of tools.
        log: where the command's output goes.
        bubblewrap: False runs the command without it even where it works.
    """
    action, command = resolved.action, resolved.action.command
    assert isinstance(command, ToolCommand)
    content = {
        "mnemonic": action.mnemonic,
        "argv": command.argv,
        "environment": dict(command.environment),
        "error_patterns": command.error_patterns,
        "outputs": sorted(action.outputs),
        "versions": dict(resolved.tools),
        # A tool may also be one that only the command line refers to.
        "tools": [asdict(tool) for tool in tools.values()],
        "log": str(log),
        "bubblewrap": bubblewrap,
    }
    return json.dumps(content, sort_keys=True).encode()


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the action of a job file.

    Returns:
        The exit status: 0 when it has an outcome, of whatever kind.
    """
    (name,) = sys.argv[1:] if arguments is None else arguments
    folder = Path(name).parent
    said = {"kind": "", "what": "", "where": "", "remedy": ""}
    try:
        if os.environ.get("SLURM_RESTART_COUNT", "0") != "0":
            raise MachineLostError("Slurm has started the job a second time")
        _run(json.loads(Path(name).read_bytes()), folder)
    except FinnmakeError as error:
        said = {"kind": type(error).__name__, "what": error.what, "where": error.where, "remedy": error.remedy}
    write_atomically(folder / OUTCOME, json.dumps(said).encode())
    return 0


def _run(content: Mapping[str, Any], folder: Path) -> None:
    toolbox = Toolbox({tool.name: tool for tool in map(_tool, content["tools"])})
    versions: dict[str, str] = content["versions"]
    check(toolbox, versions, {})
    command = ToolCommand(tuple(content["argv"]), content["environment"], tuple(content["error_patterns"]))
    action = Action(content["mnemonic"], command, {}, {path: path for path in content["outputs"]}, tuple(versions))
    bubblewrap = Bubblewrap() if content["bubblewrap"] else None
    executor = Executor(toolbox, WorkerPool(folder / "workers.log"), bubblewrap)

    def stop(number: int, frame: FrameType | None) -> None:
        executor.stop()
        os._exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    try:
        executor.run(Resolved(action, {}, versions, None), Scratch(folder), Path(content["log"]))
    finally:
        executor.stop()


def _tool(content: Mapping[str, Any]) -> Tool:
    return Tool(**{**content, "candidates": tuple(content["candidates"])})


if __name__ == "__main__":
    sys.exit(main())
