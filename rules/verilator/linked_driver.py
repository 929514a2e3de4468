"""Compiles, once, what drives every stitched design that is simulated as the simulations of its cores.

    python linked_driver.py [--output linked_driver.o] [--compiler g++]

It is ``stream_driver.cpp`` with ``linked_design.hpp``: all the C++ of such a design but the tables that ``link.py``
writes.
"""

from __future__ import annotations

import argparse

from toolchain import compiler_flags, run

DRIVER = "linked_driver.o"


def main() -> None:
    """Compiles."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", default=DRIVER)
    parser.add_argument("--compiler", default="g++")
    arguments = parser.parse_args()
    options = ["-I.", "-O2", "-DFINNMAKE_LINKED", "-c", "stream_driver.cpp"]
    run([arguments.compiler, *compiler_flags(), *options, "-o", arguments.output])


if __name__ == "__main__":
    main()
