"""A copy of an example that is a workspace of its own, and what a build has made of it."""

from __future__ import annotations

import shutil
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def copied_example(folder: Path, name: str = "mnist_mlp") -> Path:
    """Copies an example without what has been built of it."""
    ignored = shutil.ignore_patterns("build", "__pycache__", ".finnmake")
    shutil.copytree(REPOSITORY / "examples" / name, folder, ignore=ignored)
    (folder / "finnmake.toml").write_text("")
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
