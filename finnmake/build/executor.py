"""Runs one action: in its scratch directory, under its declared environment, with its output in a log file."""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from finnmake.build.action import PythonCommand, ToolCommand
from finnmake.build.key import Resolved
from finnmake.build.log_lines import error_lines, lines_of
from finnmake.build.sandbox import Bubblewrap, Scratch
from finnmake.build.sources import Sources
from finnmake.build.tools import FoundTool, Toolbox
from finnmake.build.worker import InternalError, WorkerPool
from finnmake.errors import FinnmakeError, ToolError

SYSTEM_PATH = "/usr/bin:/bin"
ERROR_LINE = re.compile(r"(?i)\b(?:fatal|error)\b")
"""What an error looks like in the log of a tool whose rule does not say."""
SHOWN_LINES = 20
_NO_ROOM = 1 << 16
"""Bytes free on a disk that is called full when a tool has failed."""
_REFERENCE = re.compile(r"\$\{(tool|package):([^}]+)\}")


class ToolRunner(Protocol):
    """Runs tool actions somewhere else."""

    def run(self, resolved: Resolved, scratch: Scratch, log: Path) -> None:
        """Run a tool action whose inputs are in the scratch directory; raises as ``Executor.run`` does."""

    def stop(self) -> None:
        """End everything that runs, and start no more."""

    def close(self) -> None:
        """End for good."""


class Executor:
    """Runs actions, any number at a time, each from its own thread.

    Args:
        toolbox: finds the tools.
        pool: runs Python commands.
        bubblewrap: wraps tools where it works; None to do without.
        elsewhere: runs tools in place of this machine.
    """

    def __init__(
        self,
        toolbox: Toolbox,
        pool: WorkerPool,
        bubblewrap: Bubblewrap | None,
        elsewhere: ToolRunner | None = None,
    ) -> None:
        self._toolbox = toolbox
        self._elsewhere = elsewhere
        self._pool = pool
        self._bubblewrap = bubblewrap
        self._setpriv = shutil.which("setpriv", path=SYSTEM_PATH)
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopped = False

    def run(self, resolved: Resolved, scratch: Scratch, log: Path) -> None:
        """Run the command of an action whose inputs are in the scratch directory.

        Raises:
            MachineLostError: it did not fail: it has to be run again, in another scratch directory.
            FinnmakeError: it failed. The message has the tool's own error lines first, then the path of the full log.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        log.unlink(missing_ok=True)
        for output in resolved.action.outputs:
            folder = scratch.box / output if output.endswith("/") else (scratch.box / output).parent
            folder.mkdir(parents=True, exist_ok=True)
        command = resolved.action.command
        if isinstance(command, PythonCommand):
            self._run_python(command, resolved.sources, scratch, log)
        elif self._elsewhere is not None:
            self._elsewhere.run(resolved, scratch, log)
        else:
            self._run_tool(command, resolved.action.tools, scratch, log)

    def _run_python(self, command: PythonCommand, sources: Sources | None, scratch: Scratch, log: Path) -> None:
        try:
            self._pool.run(
                command.function,
                dict(command.arguments),
                packages=sources.packages if sources else command.allowed_packages,
                modules=sources.modules if sources else (),
                folders=command.folders,
                folder=scratch.folder,
                box=scratch.box,
                log=log,
            )
        except InternalError as error:
            raise InternalError(error.what, where=error.where, remedy=f"{error.remedy}; full log: {log}") from None

    def _run_tool(self, command: ToolCommand, tools: tuple[str, ...], scratch: Scratch, log: Path) -> None:
        found = {name: self._toolbox.find(name) for name in tools}
        wrapped = self._bubblewrap is not None and self._bubblewrap.works
        caches = {variable: path for tool in found.values() for variable, path in tool.caches.items()}
        for path in caches.values():
            path.mkdir(parents=True, exist_ok=True)
        argv = [str(found[command.argv[0]].path), *(self._expand(text) for text in command.argv[1:])]
        environment = {
            "PATH": _path(found),
            "HOME": "/box-home" if wrapped else str(scratch.folder / "home"),
            "TMPDIR": "/box-tmp" if wrapped else str(scratch.folder / "tmp"),
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "PYTHONHASHSEED": "0",
            **{variable: str(path) for variable, path in caches.items()},
            **{name: self._expand(value) for name, value in command.environment.items()},
        }
        if wrapped and self._bubblewrap is not None:
            readable = tuple(folder for tool in found.values() for folder in _folders(tool))
            argv = self._bubblewrap.wrap(argv, scratch, caches, readable)
        elif self._setpriv is not None:
            # A build that is killed with SIGKILL takes its tools with it (bubblewrap does this by itself).
            argv = [self._setpriv, "--pdeathsig", "KILL", *argv]
        status = self._wait(argv, environment, scratch.box, log)
        self._judge(command, status, log)

    def _expand(self, text: str) -> str:
        def replace(match: re.Match[str]) -> str:
            tool = self._toolbox.find(match.group(2))
            if match.group(1) == "tool":
                return str(tool.path)
            if tool.package_folder is None:
                raise ToolError(f"{tool.tool.name} is not a Python package here", remedy=tool.tool.get)
            return str(tool.package_folder)

        return _REFERENCE.sub(replace, text)

    def _wait(self, argv: list[str], environment: Mapping[str, str], folder: Path, log: Path) -> int:
        with log.open("wb") as output:
            with self._lock:
                if self._stopped:
                    raise ToolError("the build is being stopped")
                try:
                    process = subprocess.Popen(
                        argv,
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=subprocess.STDOUT,
                        env=dict(environment),
                        cwd=folder,
                        # A process group of its own: the tool and all that it starts can be killed together.
                        start_new_session=True,
                    )
                except OSError as error:
                    raise ToolError(f"{argv[0]} cannot be run: {error}") from error
                self._running.add(process)
            try:
                return process.wait()
            finally:
                # Also what the tool has left running in the background: nothing may write after the outputs are taken.
                _kill(process)
                with self._lock:
                    self._running.discard(process)

    @staticmethod
    def _judge(command: ToolCommand, status: int, log: Path) -> None:
        content = log.read_bytes()
        errors = error_lines(content, command.error_patterns)
        if status == 0 and not errors:
            return
        lines = lines_of(content)
        shown = errors or [line for line in lines if ERROR_LINE.search(line)] or lines[-SHOWN_LINES:]
        more = f"\n  ... and {len(shown) - SHOWN_LINES} more" if len(shown) > SHOWN_LINES else ""
        if status == 0:
            said = "said that it failed, with exit status 0"
        elif status < 0:
            said = f"was killed by signal {signal.Signals(-status).name}"
        else:
            said = f"failed with exit status {status}"
        text = "".join(f"{line}\n" for line in shown[:SHOWN_LINES])
        full = "the disk is full: free space; " if _is_disk_full(content, log.parent) else ""
        raise ActionFailedError(f"{text}{command.argv[0]} {said}{more}", remedy=f"{full}full log: {log}")

    def stop(self) -> None:
        """Kill every running tool with all that it has started, and start no more."""
        with self._lock:
            self._stopped = True
            running = list(self._running)
        for process in running:
            _kill(process)
        if self._elsewhere is not None:
            self._elsewhere.stop()
        self._pool.close()

    def close(self) -> None:
        """Stop for good."""
        self.stop()
        if self._elsewhere is not None:
            self._elsewhere.close()


def _is_disk_full(log: bytes, folder: Path) -> bool:
    # A tool may say so, or may have left the disk without room for that.
    return os.strerror(errno.ENOSPC).encode() in log or shutil.disk_usage(folder).free < _NO_ROOM


class MachineLostError(ToolError):
    """The machine that ran a tool is gone; on another one it may run."""


class ActionFailedError(ToolError):
    """A tool failed; ``what`` starts with the tool's own error lines."""


def with_task(error: FinnmakeError, task: str) -> str:
    """The message of a failed task: a tool's error lines first, then which task it was."""
    if isinstance(error, ActionFailedError):
        *lines, last = error.what.split("\n")
        return "\n".join([*lines, f"{task}: {last}", f"  {error.remedy}"])
    return f"{task}: {error.text}"


def _path(found: Mapping[str, FoundTool]) -> str:
    folders = [str(tool.path.parent) for tool in found.values() if tool.path.is_file()]
    return ":".join(dict.fromkeys([*folders, *SYSTEM_PATH.split(":")]))


def _folders(tool: FoundTool) -> tuple[Path, ...]:
    folders = [tool.path.resolve().parent if tool.path.is_file() else tool.path]
    if tool.package_folder is not None:
        folders.append(tool.package_folder)
    return tuple(folders)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
