"""What an action is: a command, its inputs, its outputs, its tools. Data only; the rest of the package acts on it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from finnmake.build.digest import is_utf8
from finnmake.errors import BuildFileError

JSON = Any
"""A value that ``json.dumps`` takes: arguments of Python commands."""


@dataclass(frozen=True)
class PythonCommand:
    """A call of a Python function in a worker process, with the scratch directory as working directory.

    Attributes:
        function: ``package.module:function``; called as ``function(**arguments)``.
        arguments: keyword arguments, JSON values only: they enter the key.
        packages: top-level packages, besides finnmake, that ``function`` may come from. Their sources enter the key
            like finnmake's own.
        modules: what ``function`` imports by a name in its arguments. Their sources enter the key.
        folders: of a user's own modules, looked in before ``sys.path``. Whatever is imported from there enters the key;
            where the folders are does not.
    """

    function: str
    arguments: Mapping[str, JSON] = field(default_factory=dict)
    packages: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    folders: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        module, colon, name = self.function.partition(":")
        parts = module.split(".")
        if not colon or not name.isidentifier() or not all(part.isidentifier() for part in parts):
            raise BuildFileError(f"function {self.function!r} is not of the form package.module:function")
        if parts[0] not in self.allowed_packages:
            raise BuildFileError(
                f"function {self.function!r} is in none of the packages {', '.join(self.allowed_packages)}",
                remedy="name its package in PythonCommand(packages=...)",
            )
        try:
            text = json.dumps(dict(self.arguments), sort_keys=True, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise BuildFileError(f"arguments of {self.function} are not JSON values: {error}") from error
        object.__setattr__(self, "arguments", MappingProxyType(json.loads(text)))

    @property
    def module(self) -> str:
        """Name of the function's module."""
        return self.function.partition(":")[0]

    @property
    def allowed_packages(self) -> tuple[str, ...]:
        """Finnmake and the packages that the action names."""
        return ("finnmake", *self.packages)


@dataclass(frozen=True)
class ToolCommand:
    """A tool run as a subprocess with the scratch directory as working directory.

    Attributes:
        argv: ``argv[0]`` is the tool's name, resolved by the toolbox when the action runs, never a path.
        environment: all that the tool sees besides PATH, HOME, TMPDIR and a fixed locale.
        error_patterns: regular expressions; a line of the log that one of them is found in makes the action a
            failure, even with exit status 0.

    ``${tool:NAME}`` and ``${package:NAME}`` in an argument or an environment value stand for the path of the
    executable or of the Python package of tool NAME on the machine that runs the action; the key has the text as it
    is written here.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    error_patterns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "argv", tuple(self.argv))
        object.__setattr__(self, "environment", MappingProxyType(dict(self.environment)))
        object.__setattr__(self, "error_patterns", tuple(self.error_patterns))
        if not self.argv or not all(isinstance(argument, str) for argument in self.argv):
            raise BuildFileError(f"argv {self.argv!r} is not a non-empty list of texts")
        if "/" in self.argv[0]:
            raise BuildFileError(f"argv[0] {self.argv[0]!r} is a path", remedy="name a tool that a rule.toml declares")


@dataclass(frozen=True)
class DirectoryOf:
    """As an input: the files that another task produced below its directory output ``scratch`` (which ends in "/")."""

    task: str
    scratch: str


@dataclass(frozen=True)
class Canonical:
    """As an input: not the bytes of ``path`` but the bytes that ``function(path)`` returns for it.

    Two spellings of the same thing then have one digest and cause no action. ``function`` is
    ``package.module:function``, is called in a worker process with a relative path and returns bytes.

    Attributes:
        path: of the file.
        function: what makes the canonical bytes of it.
        packages: as of ``PythonCommand``.
        modules: as of ``PythonCommand``.
        companions: a second function that names the further files that ``function`` reads, where there may be any:
            called like it, with the one file there, it returns a line of UTF-8 for each: its path relative to the
            folder of the file, below which it must lie. They are inputs like the file itself.
    """

    path: Path
    function: str
    packages: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    companions: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path))
        for function in (self.function, self.companions):
            if function:
                PythonCommand(function, packages=self.packages)


_NO_NAMES = frozenset(("", ".", ".."))

Input = Path | str | DirectoryOf | Canonical


@dataclass(frozen=True)
class Action:
    """One application of a rule.

    Attributes:
        mnemonic: what it does in one word, for reports; not part of the key.
        command: what is run.
        inputs: scratch path -> where its bytes come from. A scratch path that ends in "/" is a directory. A relative
            path is relative to the workspace.
        outputs: scratch path -> workspace-relative path. A scratch path that ends in "/" is a directory.
        tools: names of the tools whose versions enter the key; the tool of ``argv[0]`` is always among them.
        licence: name of the licence that the command holds while it runs; "" for none. Remote execution and Slurm run
            no more of them at a time than there are licences.

    Raises:
        BuildFileError: a scratch or output path is absolute, leaves its root, or is there twice.
    """

    mnemonic: str
    command: PythonCommand | ToolCommand
    inputs: Mapping[str, Input]
    outputs: Mapping[str, str]
    tools: tuple[str, ...] = ()
    licence: str = ""

    def __post_init__(self) -> None:
        inputs: dict[str, Input] = {}
        for scratch, source in self.inputs.items():
            _check_relative(scratch, "input")
            if isinstance(source, DirectoryOf) and not (scratch.endswith("/") and source.scratch.endswith("/")):
                raise BuildFileError(f'input {scratch!r} from a directory: both scratch paths must end in "/"')
            if isinstance(source, Canonical) and scratch.endswith("/"):
                raise BuildFileError(f"input {scratch!r}: a canonical input is a file, not a directory")
            inputs[scratch] = source
        if not self.outputs:
            raise BuildFileError(f"action {self.mnemonic} has no outputs")
        outputs: dict[str, str] = {}
        for scratch, target in self.outputs.items():
            _check_relative(scratch, "output")
            if not is_plain(target):
                target = Path(target).as_posix()
                _check_relative(target, "output")
            outputs[scratch] = target
        tools = tuple(dict.fromkeys((*self.tools, *self._command_tools())))
        object.__setattr__(self, "inputs", MappingProxyType(inputs))
        object.__setattr__(self, "outputs", MappingProxyType(outputs))
        object.__setattr__(self, "tools", tools)

    def _command_tools(self) -> tuple[str, ...]:
        return (self.command.argv[0],) if isinstance(self.command, ToolCommand) else ("python",)


def _check_relative(path: str, what: str) -> None:
    if not is_plain(path.removesuffix("/")):
        raise BuildFileError(
            f"{what} path {path!r} is not a plain relative path", remedy='write it in UTF-8, without "..", "." and "//"'
        )


def is_plain(path: str) -> bool:
    """Whether a path is relative, UTF-8, and has neither empty parts nor "." and ".."."""
    # Not with pathlib: a build file of ten thousand actions asks this a hundred thousand times.
    return not ("\\" in path or "\0" in path) and _NO_NAMES.isdisjoint(path.split("/")) and is_utf8(path)
