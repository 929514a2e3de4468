"""Builds a Verilator simulation of one core (or of a stitched design) as a shared object.

    python build.py --top NAME --output model.so --runtime verilated.a [--optimise 2] [--trace] FILES…

The shared object follows PyVerilator's symbol convention (``pyverilator.PyVerilator("model.so")`` opens it) and holds
the AXI4-Stream driver of ``stream_driver.cpp``, which is in the archive of the runtime. All generated C++ is one
translation unit: one compiler call costs less than many.
The same inputs give the same bytes, wherever they lie.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from evaluation import read_evaluation
from toolchain import compiler_flags, run, verilator

FOLDER = Path("verilated")
PREFIX = "Vmodel"
PORT = re.compile(r"VL_(IN|OUT|INOUT)(?:8|16|64|W)?\(&(\w+),(\d+),(\d+)(?:,\d+)?\);")
EXPORTS = "{ global: construct; eval; destruct; *_vcd_trace; get_*; set_*; finnmake_*; _pyverilator_*; local: *; };\n"


def ports(header: str) -> dict[str, list[tuple[str, int]]]:
    """Names and widths of the ports that Verilator's generated header declares, by direction."""
    found: dict[str, list[tuple[str, int]]] = {"IN": [], "OUT": [], "INOUT": []}
    for direction, name, high, low in PORT.findall(header):
        found[direction].append((name, int(high) - int(low) + 1))
    return found


def streams(found: dict[str, list[tuple[str, int]]], direction: str) -> list[tuple[str, int]]:
    """Names and widths of the AXI4-Streams in one direction, in the order of their names: ``in2`` before ``in10``."""
    data = [(name.removesuffix("_tdata"), width) for name, width in found[direction] if name.endswith("_tdata")]
    return sorted(data, key=lambda stream: (len(stream[0]), stream[0]))


def missing_ports(found: dict[str, list[tuple[str, int]]]) -> list[str]:
    """What a core needs and these ports do not have: clock, reset, and one whole stream at least in each direction."""
    names = {name for entries in found.values() for name, _ in entries}
    sources = [name for name, _ in streams(found, "IN")] or ["s_axis"]
    sinks = [name for name, _ in streams(found, "OUT")] or ["m_axis"]
    wanted = {f"{name}_{signal}" for name in (*sources, *sinks) for signal in ("tdata", "tvalid", "tready")}
    return sorted((wanted | {"aclk", "aresetn"}) - names)


def translation_unit(top: str, found: dict[str, list[tuple[str, int]]]) -> str:
    """The C++ text that includes the model, describes its ports and includes what the driver drives."""
    files = sorted(path.name for path in FOLDER.glob("*.cpp"))
    lines = [f'#include "{FOLDER}/{name}"' for name in files if "Slow" not in name]
    lines += port_macros(top, found)
    names = {direction: frozenset(name for name, _ in entries) for direction, entries in found.items()}
    text = "".join((FOLDER / name).read_text() for name in files)
    allowed = read_evaluation(text, names["IN"] | names["INOUT"], names["OUT"] | names["INOUT"])
    entries = " ".join(f"X({name})" for name in sorted(allowed.combinational))
    lines.append(f"#define FINNMAKE_COMBINATIONAL_INPUTS(X) {entries}")
    if allowed.direct:
        lines.append("#define FINNMAKE_DIRECT_REGIONS")
    if allowed.rising_only:
        lines.append("#define FINNMAKE_RISING_ONLY")
    lines.append('#include "core_model.hpp"')
    # What runs once, at construction, is half of the text.
    lines.append('#pragma GCC optimize("O0")')
    lines += [f'#include "{FOLDER}/{name}"' for name in files if "Slow" in name]
    return "\n".join([*lines, ""])


def port_macros(top: str, found: dict[str, list[tuple[str, int]]]) -> list[str]:
    """The macros by which ``core_model.hpp`` and ``port_symbols.hpp`` know a model's name and ports."""
    lines = []
    for direction in ("IN", "OUT"):
        entries = " ".join(f"X({name}, {width})" for name, width in found[direction])
        lines.append(f"#define FINNMAKE_{direction}PUTS(X) {entries}")
        entries = ", ".join(f"X({name}, {width})" for name, width in streams(found, direction))
        lines.append(f"#define FINNMAKE_{direction}PUT_STREAMS(X) {entries}")
    return [*lines, f'#define FINNMAKE_TOP "{top}"']


def link(compiler: str, output: str, inputs: list[str], options: list[str]) -> None:
    """Compiles ``model.cpp`` and links it with archives and objects to a shared object."""
    Path("exports.map").write_text(EXPORTS)
    run(
        [
            compiler, *options, "-I.", "-w", "-shared", "-s", "-o", output, "model.cpp", *inputs,
            # fopen: memory files are read relative to the folder that the caller names.
            "-Wl,--wrap=fopen", "-Wl,--wrap=__cxa_thread_atexit", "-Wl,--version-script=exports.map",
            "-Wl,--build-id=none", "-Wl,--gc-sections", "-Wl,--undefined=finnmake_run", "-pthread",
        ]
    )  # fmt: skip


def main() -> None:
    """Verilates, compiles and links."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--top", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--runtime", default="verilated.a")
    parser.add_argument("--optimise", default="2", choices=["0", "1", "2", "3"])
    parser.add_argument(
        "--trace", action="store_true", help="value change dumps; makes the build and the simulation slower"
    )
    parser.add_argument("--define", action="append", default=[], help="Verilog macro NAME or NAME=VALUE")
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("files", nargs="+")
    arguments = parser.parse_args()

    verilator(
        [
            "--cc", "--top-module", arguments.top, "--prefix", PREFIX, "--Mdir", str(FOLDER), "--quiet",
            # Warnings are the lint rule's business; a synthesised netlist has many.
            "-Wno-fatal", "--no-timing", "--x-assign", "unique", "--x-initial", "unique", "--output-split", "0",
            # The compiler's time grows faster than the length of a function: a stitched design builds in a quarter.
            "--output-split-cfuncs", "400",
            *(["--trace-vcd"] if arguments.trace else []),
            *(f"+define+{macro}" for macro in arguments.define),
            *arguments.files,
        ]
    )  # fmt: skip
    found = ports((FOLDER / f"{PREFIX}.h").read_text())
    missing = missing_ports(found)
    if missing:
        sys.exit(f"%Error: {arguments.top} has no port {', '.join(missing)}")
    Path("model.cpp").write_text(translation_unit(arguments.top, found))
    options = [f"-I{FOLDER}", f"-O{arguments.optimise}", *(["-DFINNMAKE_TRACE"] if arguments.trace else [])]
    link(arguments.compiler, arguments.output, [arguments.runtime], [*compiler_flags(), *options])


if __name__ == "__main__":
    main()
