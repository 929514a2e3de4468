"""Python commands that may meet custom ops of installed packages: those packages' sources enter their keys."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from finnmake.build.action import JSON, Canonical, PythonCommand
from finnmake.graph.entry_points import custom_op_entries


@cache
def _installed_modules() -> tuple[str, ...]:
    """Modules that installed packages have custom ops in. Once a process: packages are installed between builds."""
    return tuple(sorted({entry.module for entry in custom_op_entries()}))


def _with_packages(modules: tuple[str, ...], packages: tuple[str, ...]) -> tuple[str, ...]:
    tops = (module.partition(".")[0] for module in modules)
    return tuple(dict.fromkeys([*packages, *(top for top in tops if top != "finnmake")]))


def model_command(
    function: str,
    arguments: Mapping[str, JSON] | None = None,
    *,
    modules: tuple[str, ...] = (),
    packages: tuple[str, ...] = (),
    folders: tuple[Path, ...] = (),
) -> PythonCommand:
    """A command that reads models; see ``PythonCommand`` for the arguments."""
    installed = _installed_modules()
    return PythonCommand(
        function,
        arguments or {},
        modules=(*modules, *installed),
        packages=_with_packages(installed, packages),
        folders=folders,
    )


def canonical_model_file(path: Path, function: str, companions: str) -> Canonical:
    """A model file as a canonical input; see ``Canonical``."""
    installed = _installed_modules()
    return Canonical(path, function, packages=_with_packages(installed, ()), modules=installed, companions=companions)
