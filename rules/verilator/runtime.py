"""Compiles once what every simulation is linked with: Verilator's own runtime, and the driver of AXI4-Streams.

    python runtime.py --output verilated.a [--compiler g++]

They are most of the compile time of a small core. The messages of ``$finish``, ``$stop`` and missing memory files are
not in it: ``stream_driver.cpp`` turns them into errors that a caller can handle.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from toolchain import compiler_flags, run, verilator_root

SOURCES = ("verilated", "verilated_threads", "verilated_vcd_c")
OURS = ("-DVL_USER_FINISH", "-DVL_USER_STOP", "-DVL_USER_FATAL", "-DVL_USER_WARN")


def main() -> None:
    """Compiles and archives."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", required=True)
    parser.add_argument("--compiler", default="g++")
    arguments = parser.parse_args()
    objects = []
    for source in SOURCES:
        target = f"{source}.o"
        path = verilator_root() / "include" / f"{source}.cpp"
        run([arguments.compiler, *compiler_flags(), *OURS, "-O2", "-c", str(path), "-o", target])
        objects.append(target)
    run([arguments.compiler, *compiler_flags(), "-I.", "-O2", "-c", "stream_driver.cpp", "-o", "stream_driver.o"])
    Path(arguments.output).unlink(missing_ok=True)
    # D: no times, users or modes in the archive.
    run(["ar", "rcD", arguments.output, *objects, "stream_driver.o"])


if __name__ == "__main__":
    main()
