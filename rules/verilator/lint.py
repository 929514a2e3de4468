"""Checks a core with ``verilator --lint-only -Wall``: any warning is a failure.

    python lint.py --top NAME --output lint.txt FILES…

The output names the top and the files that were found clean.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from toolchain import verilator


def main() -> None:
    """Lints and writes the verdict."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--top", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("files", nargs="+")
    arguments = parser.parse_args()
    warnings = verilator(["--lint-only", "-Wall", "--quiet", "--top-module", arguments.top, *arguments.files])
    if warnings.strip():
        sys.exit(f"%Error: lint of {arguments.top} is not clean\n{warnings}")
    lines = [f"{arguments.top}: no warning in", *(f"  {name}" for name in sorted(arguments.files))]
    Path(arguments.output).write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
