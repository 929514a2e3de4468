"""Where an action runs: a scratch directory with its declared inputs only, in bubblewrap where that works."""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from finnmake.build.digest import FileDigest, files_below
from finnmake.build.files import copy_file, remove_tree
from finnmake.build.locks import lock_file
from finnmake.errors import BuildFileError, ToolError


class InputChangedError(BuildFileError):
    """An input was edited while its action ran."""


@dataclass(frozen=True)
class Scratch:
    """A scratch directory.

    Attributes:
        folder: holds ``box`` (the working directory: inputs and outputs), ``tmp`` and ``home``.
        elsewhere: the working directory where somebody else has made it.
    """

    folder: Path
    elsewhere: Path | None = None

    @property
    def box(self) -> Path:
        """The action's working directory."""
        return self.elsewhere or self.folder / "box"

    def add(self, scratch: str, source: Path | str, expected: FileDigest) -> None:
        """Copy an input into the box.

        Raises:
            InputChangedError: its bytes are not the expected ones any more, or it is gone.
        """
        target = f"{self.box}/{scratch}"
        try:
            sha256 = copy_file(source, target, executable=expected.executable)
        except FileNotFoundError:
            # The folder that it goes to, mostly: one in a hundred files is the first in its folder.
            os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120
            try:
                sha256 = copy_file(source, target, executable=expected.executable)
            except FileNotFoundError:
                sha256 = ""
        if sha256 != expected.sha256:
            raise InputChangedError("was edited while the build ran", where=str(source), remedy="build again")

    def collect(self, outputs: tuple[str, ...]) -> dict[str, Path]:
        """The files that the declared outputs are, by scratch path; links are followed only inside of the box.

        Raises:
            ToolError: a declared output was not made.
        """
        found: dict[str, Path] = {}
        missing = []
        root = self.box.resolve()
        for scratch in outputs:
            path = self.box / scratch
            if scratch.endswith("/"):
                if not path.is_dir():
                    missing.append(scratch)
                    continue
                found.update((scratch + name, file) for name, file in files_below(path))
            elif path.is_file():
                found[scratch] = path
            else:
                missing.append(scratch)
        if missing:
            raise ToolError(f"declared outputs were not made: {', '.join(missing)}")
        inside: dict[str, bool] = {}
        for scratch, path in found.items():
            # Where a file really is that is no link itself, its folder decides: asked of each folder once.
            folder, is_link = os.path.split(path)[0], os.path.islink(path)  # noqa: PTH114
            if not is_link and folder not in inside:
                inside[folder] = Path(folder).resolve().is_relative_to(root)
            if is_link or not inside[folder]:
                target = path.resolve()
                if not (target.is_relative_to(root) and target.is_file()):
                    raise ToolError(f"output {scratch} is a link to something outside of the action: {target}")
                copy = path.with_name(f"{path.name}.finnmake-copy")
                copy_file(target, copy, executable=os.access(target, os.X_OK))
                copy.replace(path)
        return found


class ScratchFolder:
    """Makes and removes scratch directories below one folder; clears away what killed builds have left there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._own: Path | None = None
        self._descriptor = -1

    def _prepare(self) -> Path:
        with self._lock:
            if self._own is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._clear()
                for number in itertools.count():
                    own = self._folder / f"{os.getpid()}-{number}"
                    with suppress(FileExistsError):
                        own.mkdir()
                        break
                # The lock says that this build lives; the system takes it away when the process ends, however it ends.
                self._descriptor = os.open(own / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
                lock_file(self._descriptor, self._folder)
                self._own = own
            return self._own

    def _clear(self) -> None:
        for folder in self._folder.iterdir():
            try:
                descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
            except OSError:
                continue
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # The lock last: a process that the killed build has left behind may write into the folder still, and
                # without a lock no later build could tell that it is nobody's.
                for entry in folder.iterdir():
                    if entry.name != "lock":
                        remove_tree(entry)
                if [entry.name for entry in folder.iterdir()] == ["lock"]:
                    remove_tree(folder)
            except OSError:
                pass
            finally:
                os.close(descriptor)

    @contextmanager
    def scratch(self) -> Iterator[Scratch]:
        """A new scratch directory; it is removed at the end."""
        folder = self._prepare() / str(next(self._numbers))
        for name in ("box", "tmp", "home"):
            (folder / name).mkdir(parents=True)
        try:
            yield Scratch(folder)
        finally:
            remove_tree(folder)

    def close(self) -> None:
        """Remove everything that this build has made here."""
        with self._lock:
            if self._own is not None:
                remove_tree(self._own)
                os.close(self._descriptor)
                self._own = None


class Bubblewrap:
    """Runs tools in bubblewrap: read-only system and Python, the scratch directory at ``/box``, no network."""

    _SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/opt")

    def __init__(self) -> None:
        self._executable = shutil.which("bwrap")
        self._works: bool | None = None
        self._lock = threading.Lock()

    @property
    def works(self) -> bool:
        """Whether bubblewrap is there and may make namespaces here (it may not in many containers); asked once."""
        with self._lock:
            if self._works is None:
                self._works = self._executable is not None and self._probe()
            return self._works

    def _probe(self) -> bool:
        try:
            done = subprocess.run(
                [*self._arguments(None, {}, ()), "/bin/true"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=10,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0

    def _arguments(
        self, scratch: Scratch | None, writable: Mapping[str, Path], readable: tuple[Path, ...]
    ) -> list[str]:
        arguments = [str(self._executable), "--unshare-all", "--die-with-parent", "--new-session"]
        arguments += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]
        for name in self._SYSTEM:
            path = Path(name)
            if path.is_symlink():
                arguments += ["--symlink", os.readlink(name), name]  # noqa: PTH115
            elif path.is_dir():
                arguments += ["--ro-bind", name, name]
        prefixes = {Path(sys.prefix), Path(sys.base_prefix), *readable}
        for path in sorted(prefixes):
            if path.exists() and not path.is_relative_to("/usr"):
                arguments += ["--ro-bind", str(path), str(path)]
        for path in writable.values():
            arguments += ["--bind", str(path), str(path)]
        if scratch is not None:
            for name, place in (("box", "/box"), ("tmp", "/box-tmp"), ("home", "/box-home")):
                arguments += ["--bind", str(scratch.folder / name), place]
            arguments += ["--chdir", "/box"]
        return [*arguments, "--"]

    def wrap(
        self, argv: list[str], scratch: Scratch, writable: Mapping[str, Path], readable: tuple[Path, ...]
    ) -> list[str]:
        """The command that runs ``argv`` inside.

        Args:
            argv: absolute path of the executable and its arguments.
            scratch: what is writable.
            writable: the tools' own caches.
            readable: folders of the tools.
        """
        return [*self._arguments(scratch, writable, readable), *argv]
