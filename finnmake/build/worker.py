"""Persistent worker processes for Python commands: importing the compiler once, not once per action."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import finnmake.errors
from finnmake.build import worker_process
from finnmake.errors import FinnmakeError

_END_SECONDS = 5
"""How long a worker that has closed its pipe may take to end."""


class WorkerDiedError(FinnmakeError):
    """A worker process ended in the middle of an action."""


class InternalError(FinnmakeError):
    """A Python action raised something that is not a message for the user."""


class _Worker:
    """One process and its two pipes; used by one thread at a time."""

    def __init__(self, log: Path, folders: tuple[Path, ...]) -> None:
        self.folders = folders
        environment = {
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            # Sets of strings in the same order everywhere: bytes must not depend on the process that made them.
            "PYTHONHASHSEED": "0",
            # An action is one task of the build, which counts the machine's cores by itself. OpenBLAS would start a
            # thread for each, which spins when NumPy is imported.
            "OPENBLAS_NUM_THREADS": "1",
        }
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-s", "-X", "utf8", worker_process.__file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
                cwd="/",
                # Ctrl-C goes to the build, which decides what becomes of its workers.
                start_new_session=True,
            )
        path = [*map(str, folders), *(os.path.abspath(entry) for entry in sys.path if entry)]  # noqa: PTH100
        self._send({"sys_path": path, "folders": [str(folder) for folder in folders]})

    def _send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request and wait for its answer."""
        assert self.process.stdout is not None
        line = b""
        with suppress(BrokenPipeError):
            self._send(request)
            line = self.process.stdout.readline()
        if not line.endswith(b"\n"):
            # It is ending: its own status says more than that of being killed here.
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(_END_SECONDS)
            self.kill()
            raise WorkerDiedError(
                f"the worker process ended (status {self.process.returncode}) while it ran {request['function']}",
                remedy="a negative status is a signal; -9 is often the system, out of memory",
            )
        answer: dict[str, Any] = json.loads(line)
        return answer

    def kill(self) -> None:
        """End the process now."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


class WorkerPool:
    """Workers, started when they are needed and kept until the build ends; as many as threads ask at the same time.

    Args:
        log: file for what a worker says before and between actions.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()
        self._closed = False

    def run(
        self,
        function: str,
        arguments: dict[str, Any],
        *,
        packages: tuple[str, ...],
        modules: tuple[str, ...],
        folders: tuple[Path, ...] = (),
        folder: Path,
        box: Path | None = None,
        log: Path,
        result: str = "",
    ) -> None:
        """Run a function in a worker, see ``worker_process``.

        Raises:
            FinnmakeError: of the class that the function raised, by its name in finnmake.errors.
            InternalError: the function raised anything else; the traceback is in the log.
            WorkerDiedError: the process ended.
        """
        worker = self._take(folders)
        try:
            answer = worker.ask(
                {
                    "function": function,
                    "arguments": arguments,
                    "packages": packages,
                    "modules": modules,
                    "folder": str(folder),
                    "box": str(box or folder / "box"),
                    "log": str(log),
                    "result": result,
                }
            )
        except BaseException:
            with self._lock:
                self._all.discard(worker)
            worker.kill()
            raise
        with self._lock:
            self._idle.append(worker)
        if answer["ok"]:
            return
        if "internal" in answer:
            raise InternalError(f"{function} failed: {answer['internal']}", remedy="this is an error in its code")
        kind = getattr(finnmake.errors, answer["kind"], FinnmakeError)
        if not (isinstance(kind, type) and issubclass(kind, FinnmakeError)):
            kind = FinnmakeError
        raise kind(answer["what"], where=answer["where"], remedy=answer["remedy"])

    def _take(self, folders: tuple[Path, ...]) -> _Worker:
        with self._lock:
            if self._closed:
                raise WorkerDiedError("the build is being stopped")
            # Modules of one name in two projects are not the same: a worker keeps to its folders.
            for worker in [worker for worker in reversed(self._idle) if worker.folders == folders]:
                self._idle.remove(worker)
                if worker.process.poll() is None:
                    return worker
                self._all.discard(worker)
            self._log.parent.mkdir(parents=True, exist_ok=True)
            worker = _Worker(self._log, folders)
            self._all.add(worker)
            return worker

    def close(self) -> None:
        """End all workers, whatever they are doing."""
        with self._lock:
            self._closed = True
            workers, self._all = self._all, set()
            self._idle.clear()
        for worker in workers:
            worker.process.kill()
        for worker in workers:
            worker.process.wait()
