"""The folder that a build works in: its root, its state, its store, its tools."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from finnmake.build.configuration import CONFIGURATION, Configuration, default_configuration, read_configuration
from finnmake.build.tools import Tool


@dataclass(frozen=True)
class Workspace:
    """Where outputs, state and store of a build are.

    Attributes:
        root: absolute; outputs and relative inputs are relative to it.
        build_file: absolute path of the build file that the tasks come from (for ``doit clean`` of tasks that it no
            longer defines), or the root.
        configuration: what ``finnmake.toml`` says.
        tools: the tools that actions may name.
    """

    root: Path
    build_file: Path
    configuration: Configuration
    tools: Mapping[str, Tool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tools", MappingProxyType(dict(self.tools)))

    @classmethod
    def of(cls, build_file: Path | str, tools: Mapping[str, Tool] | None = None) -> Workspace:
        """The workspace that a build file (or a folder, for builds without one) lies in.

        The root is the nearest folder at or above it with a ``finnmake.toml``, else the folder itself.

        Raises:
            BuildFileError: ``finnmake.toml`` cannot be read or has an unknown entry.
        """
        path = Path(os.path.abspath(build_file))  # noqa: PTH100 (symbolic links are kept: doit keeps them too)
        folder = path if path.is_dir() else path.parent
        for root in (folder, *folder.parents):
            if (root / CONFIGURATION).is_file():
                return cls(root, path, read_configuration(root), tools or {})
        return cls(folder, path, default_configuration(folder), tools or {})

    @property
    def store(self) -> Path:
        """Folder of the local store."""
        return self.configuration.store

    @property
    def state_folder(self) -> Path:
        """Where state, logs and scratch directories are."""
        return self.root / ".finnmake"

    @property
    def origin(self) -> str:
        """The build file's workspace-relative path, as the state records it."""
        return os.path.relpath(self.build_file, self.root)
