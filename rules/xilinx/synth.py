"""Synthesises one IP core for AMD/Xilinx FPGAs, out of context, to a flat netlist in RTLIL and a resource report.

The files named ``*.mem`` that the sources read with $readmemh lie in the working directory; their contents end up in
the initial values of the memories.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

from abc9 import map_logic
from comparisons import map_comparisons
from library import library, modules
from luts import Primitive, map_luts
from mapped_once import KEEP, MERGE
from memories import map_memories
from passes import PREPARE, cell_types, finish, run
from pyosys import libyosys as yosys
from roms import narrow_roms

# LUTs that a primitive takes. A distributed RAM takes those of its memory; its read addresses need none of their own.
_LUTS_OF_PRIMITIVE = {
    **{f"LUT{inputs}": 1 for inputs in range(1, 7)},
    "SRL16E": 1,
    "SRLC16E": 1,
    "SRLC32E": 1,
    "RAM32X1S": 1,
    "RAM64X1S": 1,
    "RAM128X1S": 2,
    "RAM256X1S": 4,
    "RAM512X1S": 8,
    "RAM32X1D": 2,
    "RAM64X1D": 2,
    "RAM128X1D": 4,
    "RAM256X1D": 8,
    "RAM32M": 4,
    "RAM64M": 4,
    "RAM32M16": 8,
    "RAM64M8": 8,
    "RAM64X8SW": 8,
}
_BLOCKS_OF_PRIMITIVE = {"RAMB18E1": 1, "RAMB18E2": 1, "RAMB36E1": 2, "RAMB36E2": 2}
_FLIP_FLOPS = ("FDRE", "FDSE", "FDCE", "FDPE")
_MULTIPLIERS = ("DSP48E1", "DSP48E2")
# Inside a slice, beside its LUTs. An inverter goes into the LUT or the pin behind it.
_FREE = {"CARRY4", "CARRY8", "MUXF7", "MUXF8", "MUXF9", "INV"}
_ULTRA_RAM = "URAM288"
_OTHER = {*_FLIP_FLOPS, *_MULTIPLIERS, _ULTRA_RAM, *_FREE}
# What each part of the flow may make. ABC9 reads what wider LUTs would cost from two that are never made.
_MEMORIES = {*(name for name in _LUTS_OF_PRIMITIVE if name.startswith("RAM")), *_BLOCKS_OF_PRIMITIVE, _ULTRA_RAM}
_LOGIC = {*(set(_LUTS_OF_PRIMITIVE) - _MEMORIES), *_FLIP_FLOPS, *_FREE, "$__ABC9_LUT7", "$__ABC9_LUT8"}
_LIBRARIES = ("xilinx/cells_sim.v", "xilinx/cells_xtra.v")

# Steps map_ffram to map_luts of synth_xilinx, and what it makes of comparisons before memories are mapped: gates for a
# bit each, ten times the cells of a layer with thresholds in all passes between, and constant bits are seen too late.
_TO_ARITHMETIC = (
    "opt -fast -full",
    "memory_map",
    "opt -full",
    "xilinx_srl -variable -minlen 3",
    "techmap -map +/cmp2lut.v -D LUT_WIDTH=6",
)
_TO_GATES = (
    "alumacc",
    "techmap -map +/techmap.v -D LUT_SIZE=6 -map +/xilinx/arith_map.v",
    "opt -fast",
)
_TO_FLIP_FLOPS = (
    "dfflegalize -cell $_DFFE_?P?P_ 01 -cell $_SDFFE_?P?P_ 01 -cell $_DLATCH_?P?_ 01",
    "techmap -map +/xilinx/ff_map.v",
    "opt_expr -mux_undef -noclkinv",
    "read_verilog -icells -lib -specify +/xilinx/abc9_model.v",
)
_WIRE_DELAY = 300


def main() -> None:
    """Synthesises and writes."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--family", required=True, choices=("xc7", "xcup"))
    arguments.add_argument("--top", required=True, help="module to synthesise")
    arguments.add_argument("--netlist", required=True, help="netlist to write (RTLIL)")
    arguments.add_argument("--resources", required=True, help="resource report to write (JSON)")
    arguments.add_argument("--no-dsp", action="store_true", help="multiply in LUTs, never in DSP48")
    arguments.add_argument("sources", nargs="+", help="Verilog files")
    options = arguments.parse_args()
    design = yosys.Design()
    # Out of context: no pads and no clock buffers.
    synth = f"synth_xilinx -family {options.family} -top {options.top} -noiopad -noclkbuf"
    synth += f"{' -nodsp' if options.no_dsp else ''}{' -uram' if options.family == 'xcup' else ''}"
    run(
        design,
        # Deferred: a module is elaborated for the parameters of its instances, not for its defaults, whose memory files
        # need not be there.
        *(f"read_verilog -defer {source}" for source in options.sources),
        f"hierarchy -check -top {options.top}",
        "proc",
        KEEP,
        "flatten",
        # A loop or an undriven wire is a fault of the kernel, found before mapping makes some value of it.
        "check -noinit -assert",
        "opt_clean -purge",
        *PREPARE,
        "pmux2shiftx",
        "clean",
        "sort",
    )
    if not options.no_dsp:
        _read_cells(design, _MULTIPLIERS)
        run(design, _small_products_to_dsp(options.family))
    run(design, f"{synth} -run map_dsp:coarse", "share", "opt", "memory -nomap", "opt_clean")
    if any(kind.startswith("$mem") for kind in cell_types(design)):
        narrow_roms(design)
        _read_cells(design, _MEMORIES)
        map_memories(design, options.family)
    _read_cells(design, _LOGIC)
    run(design, *_TO_ARITHMETIC)
    map_comparisons(design, lut_inputs=6)
    run(design, *_TO_GATES)
    _map_cells(design)
    run(design, *_TO_FLIP_FLOPS)
    map_logic(design, _WIRE_DELAY)
    run(design, "clean", "xilinx_srl -fixed -minlen 3")
    if not map_luts(design, _lut):
        run(design, "techmap -map +/xilinx/lut_map.v -D LUT_WIDTH=6")
    _map_cells(design)
    run(
        design,
        "xilinx_dffopt",
        "opt_lut_ins -tech xilinx",
        "clean",
        f"hierarchy -check -top {options.top}",
        *MERGE,
        # What flattening left of the hierarchy; it is no hardware.
        f"delete {options.top}/t:$scopeinfo",
        f"check -mapped -noinit -assert {options.top}",
        # They hold paths of the installation, and a moved line is no other netlist.
        f"setattr -mod -unset src {options.top}",
        f"setattr -unset src {options.top}/*",
        # Selected: without the simulation models of the primitives, whose sources are named by absolute paths.
        f"select {options.top}",
        f"write_rtlil -selected {options.netlist}",
        "select -clear",
    )
    counts = _resources(_count_cells(design, options.top))
    Path(options.resources).write_text(json.dumps(counts, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _read_cells(design: Any, names: Collection[str]) -> None:
    """Reads some primitives: a small core's time is that of Yosys' libraries, at all of which every pass looks."""
    first, second = (modules(library(name), names) for name in _LIBRARIES)
    for text, options in ((first, "-specify"), (second, "")):
        if text:
            Path("cells.v").write_text(text, encoding="utf-8")
            run(design, f"read_verilog -lib {options} cells.v")


def _map_cells(design: Any) -> None:
    """Shift registers and wide multiplexers, where there are any."""
    if any(kind.startswith(("$__XILINX_", "$__SHREG_")) for kind in cell_types(design)):
        run(design, "techmap -map +/techmap.v -map +/xilinx/cells_map.v -D LUT_WIDTH=6", "clean")


def _lut(inputs: int, table: str) -> Primitive | None:
    if inputs == 1 and table == "01":
        return Primitive("INV", ("I",), "O")
    return (
        Primitive(f"LUT{inputs}", tuple(f"I{number}" for number in range(inputs)), "O", table) if inputs <= 6 else None
    )


def _small_products_to_dsp(family: str) -> str:
    """The pass that makes DSP48 of products that synth_xilinx, of its own accord, makes of LUTs: less than 9 bits wide.

    A core that is synthesised with hard multipliers has asked for them. Those of one bit stay gates.
    """
    library, widths = ("xc7", (25, 18)) if family == "xc7" else ("xcu", (27, 18))
    limits = "".join(
        f" -D DSP_{port}_MAXWIDTH={width} -D DSP_{port}_MINWIDTH=2" for port, width in zip("AB", widths, strict=True)
    )
    name = f"$__MUL{widths[0]}X{widths[1]}"
    return (
        f"techmap -map +/mul2dsp.v -map +/xilinx/{library}_dsp_map.v{limits} -D DSP_SIGNEDONLY=1 -D DSP_NAME={name}"
        " t:$mul r:Y_WIDTH<9 %i"
    )


def _count_cells(design: Any, module: str) -> Counter[str]:
    """Cell type -> number of cells. The module is looked up anew: some passes put another in its place."""
    cells = design.module(yosys.IdString(f"\\{module}")).cells_.values()
    return Counter(cell.type.str().removeprefix("\\") for cell in cells)


def _resources(found: Counter[str]) -> dict[str, int]:
    """The resource counts of a mapped, flat module.

    Args:
        found: its cells by type.

    Keys: LUT (logic, shift registers and distributed RAM), FF, BRAM (halves of 18 kbit), URAM, DSP, and CARRY (4 or 8
    bits each).
    """
    known = {*_LUTS_OF_PRIMITIVE, *_BLOCKS_OF_PRIMITIVE, *_OTHER}
    foreign = sorted(kind for kind in found if kind not in known)
    if foreign:
        print(f"ERROR: cells that are no primitives are left: {', '.join(foreign)}", file=sys.stderr)
        sys.exit(1)
    return {
        "LUT": sum(luts * found[kind] for kind, luts in _LUTS_OF_PRIMITIVE.items()),
        "FF": sum(found[kind] for kind in _FLIP_FLOPS),
        "BRAM": sum(blocks * found[kind] for kind, blocks in _BLOCKS_OF_PRIMITIVE.items()),
        "URAM": found["URAM288"],
        "DSP": sum(found[kind] for kind in _MULTIPLIERS),
        "CARRY": sum(count for kind, count in found.items() if re.fullmatch(r"CARRY\d", kind)),
    }


if __name__ == "__main__":
    main()
    finish()
