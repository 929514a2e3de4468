"""Transformations by name, without loading them: planning a build loads no ONNX."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import finnmake

_FOLDERS = ("general", "streamline", "absorb", "reorder", "to_hls")
_LISTS = (
    *(f"transformation/{name}/__init__.py" for name in _FOLDERS),
    "transformation/library.py",
    "dataflow/library.py",
)
"""The modules that import every transformation of finnmake by name."""


@cache
def transformation_paths() -> Mapping[str, str]:
    """Name -> ``package.module:Class`` of every transformation of finnmake, FINN's older names included."""
    package = Path(finnmake.__file__).parent
    found: dict[str, str] = {}
    for name in _LISTS:
        for statement in ast.parse((package / name).read_bytes()).body:
            found.update(_names(statement, found))
    return found


def _names(statement: ast.stmt, known: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if isinstance(statement, ast.ImportFrom) and str(statement.module).startswith("finnmake."):
        for alias in statement.names:
            if alias.name != "Transformation":
                yield alias.asname or alias.name, f"{statement.module}:{alias.name}"
    elif isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Name):
        for target in statement.targets:
            if isinstance(target, ast.Name) and statement.value.id in known:
                yield target.id, known[statement.value.id]


def find_transformation(name: str) -> str | None:
    """``package.module:Class`` of a transformation of finnmake.

    Args:
        name: ``Streamline``, or with its folder as in FINN's scripts: ``absorb.AbsorbAddIntoMultiThreshold``.
    """
    folder, _, plain = name.rpartition(".")
    path = transformation_paths().get(plain)
    return path if path is not None and (not folder or path.startswith(f"finnmake.transformation.{folder}.")) else None
