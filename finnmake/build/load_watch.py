"""What a build looked at besides the files that its tasks declare: files, folders, other programs."""

from __future__ import annotations

import os
import sys
from typing import Any

_LISTINGS = ("os.listdir", "os.scandir")
_PROGRAMS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "socket.connect")


class LoadWatch:
    """Notes what this process opens and lists until ``stop``: above all what the code of a build file does.

    Python's audit events tell. What C++ code opens by itself passes unseen; no build file is loaded by such code.

    Attributes:
        files: absolute paths of those that were opened for reading, there or not.
        folders: absolute paths of those that were listed.
        foreign: what else the outcome may depend on, for example a program that was run; "" where there is nothing.
    """

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.folders: set[str] = set()
        self.foreign = ""
        self._watching = True
        sys.addaudithook(self._hook)

    def stop(self) -> None:
        """Notes nothing more. A hook itself can never be taken away."""
        self._watching = False

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._watching:
            return
        if event == "open":
            path, mode, flags = arguments
            if (isinstance(mode, str) and set("wax+") & set(mode)) or flags & os.O_ACCMODE != os.O_RDONLY:
                return
            self._note(path, self.files)
        elif event in _LISTINGS:
            self._note(arguments[0], self.folders)
        elif event in _PROGRAMS:
            self.foreign = event

    def _note(self, path: object, found: set[str]) -> None:
        if isinstance(path, int):
            return  # a descriptor: what it belongs to has been opened before
        text = os.path.abspath(os.fsdecode(path if isinstance(path, str | bytes | os.PathLike) else "."))  # noqa: PTH100
        if text.startswith(("/proc/", "/sys/")):
            self.foreign = text
        found.add(text)
