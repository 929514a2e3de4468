"""Builds a virtual board: a program that simulates a shell's top module and is the other end of its serial line.

    python build.py --top TOP --clock CLK --serial-in RX --serial-out TX --divisor 50 --output virtual_board FILES…

The program reads from and writes to its standard input and output what crosses the line; memory files are read from its
working directory. ``toolchain.py`` of ``rules/verilator`` and ``verilated.a`` lie beside the files.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from toolchain import compiler_flags, run, verilator

FOLDER = Path("verilated")


def main() -> None:
    """Verilates, compiles and links."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--top", required=True)
    parser.add_argument("--clock", required=True)
    parser.add_argument("--serial-in", required=True)
    parser.add_argument("--serial-out", required=True)
    parser.add_argument("--divisor", required=True, type=int)
    parser.add_argument("--output", required=True)
    parser.add_argument("--runtime", default="verilated.a")
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("files", nargs="+")
    arguments = parser.parse_args()
    verilator(
        [
            "--cc", "--top-module", arguments.top, "--prefix", "Vboard", "--Mdir", str(FOLDER), "--quiet",
            # Warnings are the lint rule's business; a synthesised netlist has many.
            "-Wno-fatal", "--no-timing", "--x-assign", "unique", "--x-initial", "unique", "--output-split", "0",
            *arguments.files,
        ]
    )  # fmt: skip
    lines = [
        f"#define CLOCK {arguments.clock}",
        f"#define SERIAL_IN {arguments.serial_in}",
        f"#define SERIAL_OUT {arguments.serial_out}",
        f"#define DIVISOR {arguments.divisor}",
        *(f'#include "{FOLDER}/{path.name}"' for path in sorted(FOLDER.glob("*.cpp"))),
        '#include "serial_host.cpp"',
        "",
    ]
    Path("board.cpp").write_text("\n".join(lines))
    run(
        [
            arguments.compiler, *compiler_flags(), "-O2", "-I.", f"-I{FOLDER}", "-w", "-s", "-o", arguments.output,
            "board.cpp", arguments.runtime, "-Wl,--build-id=none", "-Wl,--gc-sections", "-pthread",
        ]
    )  # fmt: skip


if __name__ == "__main__":
    main()
