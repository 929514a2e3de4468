"""The process that runs Python commands, one after the other. Started by ``worker.WorkerPool``; speaks JSON lines.

Its first line is ``{"sys_path": [...], "folders": [...]}``; ``folders`` are those of a user's own modules. Then each
request is ``{"function", "arguments", "packages", "modules", "folder", "box", "log", "result"}``: ``packages`` are
those that the function may come from and ``modules`` their modules that the key knows of; ``folder`` holds ``tmp`` and
``home``; ``box`` is the working directory; ``result``, if not "", is a file in the box that the bytes returned by the
function go to. Each answer is ``{"ok": true}``, or ``{"ok": false}`` with ``kind``, ``what``, ``where``, ``remedy`` of
a FinnmakeError, or with ``internal`` for any other exception (its traceback is in the log).
"""

from __future__ import annotations

import errno
import gc
import importlib
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from finnmake.errors import FinnmakeError

SYSTEM_FOLDERS = ("/dev/", "/etc/", "/proc/", "/sys/", "/usr/", "/lib/", "/lib64/")
"""What every machine has and no action can depend on more than it already does by running there."""

_PROGRAM_EVENTS = frozenset({"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty"})
_LIST_EVENTS = frozenset({"os.listdir", "os.scandir"})


class UndeclaredAccessError(PermissionError):
    """An action touched a file that it does not declare."""


class Guard:
    """An audit hook that refuses files an action does not declare. Active only while a function runs.

    Allowed are the action's own folder, Python's installation, the sources of the packages that the action may use
    and the system's folders. What C++ code opens by itself passes unseen.

    Args:
        folders: of the user's own modules.
    """

    def __init__(self, folders: Iterable[str] = ()) -> None:
        self._folders = tuple(f"{os.path.realpath(folder)}/" for folder in folders)
        self._active: tuple[str, ...] = ()
        self._packages: tuple[str, ...] = ()
        prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
        prefixes |= {entry for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")}
        prefixes |= {os.path.realpath(prefix) for prefix in prefixes}
        self._prefixes = tuple(prefix.rstrip("/") + "/" for prefix in prefixes if prefix not in ("", "/"))

    def start(self, folders: tuple[str, ...], packages: tuple[str, ...]) -> None:
        """Refuse from now on what is outside of ``folders`` and no code of ``packages``."""
        self._packages = self._folders + tuple(
            f"{os.path.realpath(path)}/"
            for package in packages
            for path in getattr(find_spec(package), "submodule_search_locations", None) or ()
        )
        # Python sees the working directory without symbolic links.
        # A remote worker may lay an action's files out in its root.
        self._active = tuple(f"{os.path.realpath(folder).rstrip('/')}/" for folder in folders)

    def is_local(self, module: str) -> bool:
        """Whether a loaded module is one of the user's own."""
        file = getattr(sys.modules.get(module), "__file__", None)
        return bool(self._folders) and file is not None and os.path.realpath(file).startswith(self._folders)

    def stop(self) -> None:
        """Allow everything again."""
        self._active = ()

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """The hook itself."""
        if not self._active:
            return
        if event == "open" or event in _LIST_EVENTS:
            self._check(arguments[0], listing=event != "open")
        elif event == "ctypes.dlopen" and "/" in str(arguments[0] or ""):
            self._check(arguments[0], listing=False)
        elif event in _PROGRAM_EVENTS:
            raise UndeclaredAccessError(
                f"a Python action may not start a program ({event}): make it an action with a tool"
            )
        elif event == "socket.connect":
            raise UndeclaredAccessError("a Python action may not use the network")

    def _check(self, path: object, *, listing: bool) -> None:
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        if path is None or not isinstance(path, str | os.PathLike):
            return
        absolute = os.path.abspath(path)  # noqa: PTH100 (called for every file that is opened)
        if self._allowed(absolute, listing) or self._allowed(os.path.realpath(absolute), listing):
            return
        raise UndeclaredAccessError(f"undeclared access to {absolute}: declare it as an input of the action")

    def _allowed(self, path: str, listing: bool) -> bool:
        slashed = f"{path}/"
        if slashed.startswith((*self._active, *self._prefixes, *SYSTEM_FOLDERS)):
            return True
        if slashed.startswith(self._packages):
            # Code only: a template or table that lies in a package is an input like any other file.
            return listing or path.endswith((".py", ".pyc", ".so")) or "/__pycache__/" in path
        # The import system lists the folders of sys.path; it is not what is listed there that counts but what is
        # opened.
        return listing and path in sys.path


def resolve(function: str) -> Any:
    """The function that ``package.module:function`` names."""
    module, _, name = function.partition(":")
    return getattr(importlib.import_module(module), name)


def _imported(function: str) -> Any:
    """As ``resolve``, without looking for garbage among modules: not while they load, nor later among the first."""
    gc.disable()
    try:
        found = resolve(function)
        # Only where no action has run yet, whose garbage would stay.
        if not gc.get_freeze_count():
            gc.freeze()
    finally:
        gc.enable()
    return found


def _check_imports(loaded: set[str], request: dict[str, Any], guard: Guard) -> None:
    """Code that the key does not know of must not run: what was imported must be in the static import closure."""
    ours = {name for name in loaded if name.partition(".")[0] in request["packages"] or guard.is_local(name)}
    if unknown := sorted(ours - set(request["modules"])):
        raise UndeclaredAccessError(
            f"{request['function']} imports {', '.join(unknown)} in a way that its key does not see: "
            "use import statements"
        )


def _user_errors() -> tuple[type[FinnmakeError], ...]:
    try:
        from finnmake.errors import FinnmakeError
    except ModuleNotFoundError:
        # On a remote worker there is of finnmake what the function imports, and it may import no errors.
        return ()
    return (FinnmakeError,)


def _run(request: dict[str, Any], guard: Guard) -> dict[str, Any]:
    user_errors = _user_errors()
    folder = request["folder"]
    os.environ["HOME"] = f"{folder}/home"
    os.environ["TMPDIR"] = tempfile.tempdir = f"{folder}/tmp"
    try:
        os.chdir(request["box"])
        guard.start((folder, request["box"]), tuple(request["packages"]))
        try:
            before = set(sys.modules)
            value = _imported(request["function"])(**request["arguments"])
            if request["result"]:
                Path(request["result"]).write_bytes(value)
            _check_imports(set(sys.modules) - before, request, guard)
        finally:
            guard.stop()
            os.chdir("/")
    except user_errors as error:
        traceback.print_exc()
        kind = type(error).__name__
        return {"ok": False, "kind": kind, "what": error.what, "where": error.where, "remedy": error.remedy}
    except UndeclaredAccessError as error:
        traceback.print_exc()
        return {"ok": False, "kind": "BuildFileError", "what": str(error), "where": "", "remedy": ""}
    except BaseException as error:  # noqa: BLE001 (an action's failure is not the worker's)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _full(error)
        traceback.print_exc()
        return {"ok": False, "internal": f"{type(error).__name__}: {error}"}
    return {"ok": True}


def _full(error: OSError) -> dict[str, Any]:
    what = f"the disk is full: {error.strerror}"
    remedy = "free space and build again"
    return {"ok": False, "kind": "StoreError", "what": what, "where": str(error.filename or ""), "remedy": remedy}


def _answer(request: dict[str, Any], guard: Guard) -> dict[str, Any]:
    """Run a request with its log as standard output. A log that cannot be written fails the action, not the worker."""
    try:
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
        answer = _run(request, guard)
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError as error:
        # What could not be written must not end in the next action's log.
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _full(error)
        return {"ok": False, "internal": f"its log cannot be written: {error}"}
    return answer


def serve(requests: IO[str], answers: IO[str]) -> None:
    """Answer requests until there are no more."""
    first = json.loads(requests.readline())
    sys.path[:] = first["sys_path"]
    guard = Guard(first["folders"])
    sys.addaudithook(guard)
    for line in requests:
        request = json.loads(line)
        answer = _answer(request, guard)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def main() -> None:
    """Serve on the standard streams."""
    # The pipes move away from descriptors 0 to 2, so that nothing an action prints or reads can touch them.
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(null, descriptor)
    serve(requests, answers)


if __name__ == "__main__":
    main()
