"""What the documentation tells users to import is there."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

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
