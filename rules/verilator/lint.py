"""Checks a core, or how a design connects its cores, with ``verilator --lint-only -Wall``: any warning is a failure.

    python lint.py --top NAME --output lint.txt FILES… [--cores FILES…]

Cores are read for their ports. What is within them, their kernels, is not there: each has been checked by itself, and
a design of a hundred takes a second in place of minutes. The output names the top and the files that were found clean.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from toolchain import verilator

WITHIN = ("MODMISSING", "UNDRIVEN", "UNUSEDPARAM", "UNUSEDSIGNAL")
"""Warnings that a core without its kernel gives rise to."""

CONFIGURATION = "cores.vlt"


def without_kernels(cores: Sequence[str]) -> str:
    """Verilator's configuration file for cores that are read for their ports."""
    rules = [f'lint_off -rule {rule} -file "{core}"' for core in cores for rule in WITHIN]
    return "\n".join(["`verilator_config", *rules]) + "\n"


def main() -> None:
    """Lints and writes the verdict."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--top", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--cores", nargs="*", default=[])
    arguments = parser.parse_args()
    files = [*arguments.files, *arguments.cores]
    if arguments.cores:
        Path(CONFIGURATION).write_text(without_kernels(arguments.cores))
        files.insert(0, CONFIGURATION)
    warnings = verilator(["--lint-only", "-Wall", "--quiet", "--top-module", arguments.top, *files])
    if warnings.strip():
        sys.exit(f"%Error: lint of {arguments.top} is not clean\n{warnings}")
    lines = [f"{arguments.top}: no warning in", *(f"  {name}" for name in sorted(arguments.files))]
    Path(arguments.output).write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
