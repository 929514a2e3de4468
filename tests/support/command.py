"""Running the real command line in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def finnmake(arguments: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs ``finnmake`` with these arguments in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "finnmake.cli", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def build(arguments: Sequence[str], folder: Path) -> dict[str, Any]:
    """Runs ``finnmake build --json``, which must succeed; its JSON."""
    done = finnmake(["build", *arguments, "--json"], folder)
    assert done.returncode == 0, done.stdout + done.stderr
    body: dict[str, Any] = json.loads(done.stdout)
    return body
