"""Outputs that a remote engine holds and this workspace does not: a build without the bytes.

The state's record of such a task says which bytes its outputs have; the files themselves are absent. That is enough for
keys and for actions that the engine runs. Who needs the bytes here gets a ``NotHereError`` and has the tasks brought up
to date that made them: the engine gives what it still has, what it has lost is made again.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from finnmake.build.digest import FileDigest
from finnmake.build.state import OutputRecord, State
from finnmake.errors import FinnmakeError

_MEMO = "deferred"


class NotHereError(FinnmakeError):
    """Bytes are needed that are not here.

    Attributes:
        tasks: that made them.
    """

    def __init__(self, tasks: Iterable[str]) -> None:
        self.tasks = tuple(dict.fromkeys(tasks))
        super().__init__(
            f"outputs of {', '.join(self.tasks)} lie with the remote engine only",
            remedy='[remote_execution] download = "all" keeps everything here',
        )


class Deferred:
    """The absent outputs of one workspace.

    Args:
        root: of the workspace.
        state: remembers whose outputs they are.
        usable: False where there is no engine that could give them: then nothing is deferred.
    """

    def __init__(self, root: Path, state: State, *, usable: bool) -> None:
        self._prefix = f"{root}/"
        self._state = state
        self._lock = threading.Lock()
        self._files: dict[str, tuple[str, OutputRecord]] = {}
        if usable:
            for task, key in state.memos(_MEMO).items():
                record = state.tasks.get(task)
                if record is not None and record.key == key:
                    self._add(task, record.outputs)

    def __bool__(self) -> bool:
        return bool(self._files)

    def _add(self, task: str, outputs: Iterable[OutputRecord]) -> None:
        with self._lock:
            self._files.update((output.path, (task, output)) for output in outputs)

    def find(self, path: Path | str) -> FileDigest | None:
        """What is known of an absent file; None for a file that is here, or of which nothing is known."""
        found = self._files.get(str(path).removeprefix(self._prefix))
        if found is None or os.path.lexists(path):
            return None
        return FileDigest(*found[1][2:])

    def require(self, paths: Iterable[Path | str]) -> None:
        """Raises NotHereError where one of these files is deferred."""
        tasks = []
        for path in paths:
            if self.find(path) is not None:
                tasks.append(self._files[str(path).removeprefix(self._prefix)][0])
        if tasks:
            raise NotHereError(tasks)

    def below(self, folder: Path | str) -> list[str]:
        """Absolute paths of the deferred files below a folder."""
        prefix = f"{folder}/".removeprefix(self._prefix)
        with self._lock:
            return [self._prefix + path for path in self._files if path.startswith(prefix)]

    def defer(self, task: str, key: str, outputs: Iterable[OutputRecord]) -> None:
        """Note that the engine has the outputs of a task, after the task has been recorded.

        What earlier builds have left in their places, with other bytes, is removed by ``clear``.
        """
        self._state.record_memo(_MEMO, task, "", key)
        self._add(task, outputs)

    def clear(self, outputs: Iterable[OutputRecord]) -> None:
        """Remove the files that are where outputs would be."""
        for output in outputs:
            with suppress(FileNotFoundError, NotADirectoryError):
                Path(self._prefix + output.path).unlink()

    def arrived(self, task: str) -> None:
        """Note that the outputs of a task are here."""
        with self._lock:
            for path in [path for path, (of, _) in self._files.items() if of == task]:
                del self._files[path]
        if task in self._state.memos(_MEMO):
            self._state.remove_memo(_MEMO, task)
