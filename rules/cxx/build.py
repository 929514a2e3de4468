"""Compiles the C++ top of one core into a simulation.

    python build.py --output model.so [--compiler g++] [--include FOLDER …] top.cpp

The top is the same text that an HLS tool reads; FINNMAKE_SIMULATION makes its memories loadable and exports the driver
of ``simulation.hpp``. The same inputs give the same bytes, wherever they lie.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

EXPORTS = "{ global: finnmake_*; local: *; };\n"


def main() -> None:
    """Compiles and links in one call."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", required=True)
    parser.add_argument("--compiler", default="g++")
    parser.add_argument(
        "--include",
        action="append",
        default=[],
        help="another folder of headers, relative; . and include are always searched",
    )
    parser.add_argument("top")
    arguments = parser.parse_args()
    Path("exports.map").write_text(EXPORTS)
    command = [
        arguments.compiler, "-std=c++17", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
        # Pragmas are the HLS tools'.
        "-Wno-unknown-pragmas",
        "-DFINNMAKE_SIMULATION", "-I.", "-Iinclude", *(f"-I{folder}" for folder in arguments.include),
        "-fPIC", "-fvisibility=hidden", "-fvisibility-inlines-hidden", "-fno-gnu-unique",
        "-shared", "-s", "-o", arguments.output, arguments.top,
        "-Wl,--version-script=exports.map", "-Wl,--build-id=none",
    ]  # fmt: skip
    result = subprocess.run(command, check=False)
    if result.returncode != 0:
        sys.exit(result.returncode if result.returncode > 0 else 1)


if __name__ == "__main__":
    main()
