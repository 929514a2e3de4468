"""Compiles, once, what every stitched design has that is simulated as the simulations of its cores.

    python linked_design.py [--output linked_design.o] [--compiler g++]

It is all the C++ of such a design but the tables that ``link.py`` writes and the driver of all simulations.
"""

from __future__ import annotations

import argparse

from toolchain import compiler_flags, run

LINKED_DESIGN = "linked_design.o"


def main() -> None:
    """Compiles."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", default=LINKED_DESIGN)
    parser.add_argument("--compiler", default="g++")
    arguments = parser.parse_args()
    run([arguments.compiler, *compiler_flags(), "-I.", "-O2", "-c", "linked_design.cpp", "-o", arguments.output])


if __name__ == "__main__":
    main()
