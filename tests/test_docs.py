"""What the documentation tells users to import is there."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path

import pytest

from finnmake.cli import build_parser

DOCS = Path(__file__).parents[1] / "docs" / "finn_users.md"
IMPORTS = re.findall(r"from (finnmake[\w.]*) import ([\w, ]+)", DOCS.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("module", "names"), IMPORTS)
def test_imports_for_finn_users(module: str, names: str) -> None:
    for name in names.split(","):
        try:
            assert getattr(importlib.import_module(module), name.strip()) is not None
        except AttributeError:
            importlib.import_module(f"{module}.{name.strip()}")


def test_there_are_some() -> None:
    assert len(IMPORTS) > 12


COMMANDS = DOCS.parent / "build_commands.md"
LINES = re.findall(r"^ +\$ finnmake ([^>#\n]*)", COMMANDS.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("line", LINES)
def test_command_lines_are_understood(line: str) -> None:
    assert build_parser().parse_args(shlex.split(line)).command is not None


def test_every_build_command_is_shown() -> None:
    shown = {" ".join(line.split()[:2]) for line in LINES}
    assert shown >= {f"cache {name}" for name in ("stats", "gc", "verify", "clear", "push", "pull")}
    assert shown >= {f"query {name}" for name in ("deps", "rdeps", "path", "outputs")}
