"""Synthesises one IP core for ECP5, out of context, to a flat netlist in RTLIL and a resource report.

The files named ``*.mem`` that the sources read with $readmemh lie in the working directory; their contents end up in
the initial values of the memories.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from abc9 import map_logic
from library import library, modules
from luts import Primitive, map_luts
from mapped_once import KEEP, MERGE
from memories import map_memories
from netlist import LUTS_OF_PRIMITIVE, OTHER_PRIMITIVES, forget_sources, module_named, resources, write_resources
from passes import PREPARE, cell_types, finish, run
from pyosys import libyosys as yosys
from roms import narrow_roms

# What each part of the flow may make; a CCU2C is described by a LUT2. ABC9 reads what wider LUTs would cost.
_MULTIPLIERS = {"MULT18X18D"}
_MEMORIES = {"TRELLIS_DPR16X4", "DP16KD"}
_LOGIC = {*LUTS_OF_PRIMITIVE, *OTHER_PRIMITIVES, "LUT2"} - _MULTIPLIERS - _MEMORIES - {"ALU54B", "EHXPLLL"}
_LIBRARIES = ("common_sim.vh", "ccu2c_sim.vh", "cells_sim_ecp5.v", "cells_bb_ecp5.v")

_TO_MULTIPLIERS = (
    "techmap -map +/mul2dsp.v -D DSP_A_MAXWIDTH=18 -D DSP_B_MAXWIDTH=18 -D DSP_A_MINWIDTH=2 -D DSP_B_MINWIDTH=2 "
    "-D DSP_NAME=$__MUL18X18",
    "chtype -set $mul t:$__soft_mul",
    "techmap -map +/lattice/dsp_map_18x18.v",
)
# Steps map_ffram to map_luts of synth_ecp5.
_TO_FLIP_FLOPS = (
    "opt -fast -mux_undef -undriven -fine",
    "memory_map",
    "opt -undriven -fine -mux_undef",
    "techmap -map +/techmap.v -map +/lattice/arith_map_ccu2c.v",
    "opt -fast",
    "opt_clean",
    "dfflegalize -cell $_DFF_?_ 01 -cell $_DFF_?P?_ r -cell $_SDFF_?P?_ r -cell $_DFFE_??_ 01 -cell $_DFFE_?P??_ r "
    "-cell $_SDFFE_?P??_ r -cell $_DLATCH_?_ x",
    "opt_merge",
    "techmap -map flip_flops.v",
    "opt_expr -undriven -mux_undef",
    "simplemap",
    "lattice_gsr",
    "attrmvcp -copy -attr syn_useioff",
    "opt_clean",
    "check -latchonly -assert",
)
_WIRE_DELAY = 300
_INPUTS = 4


def main() -> None:
    """Synthesises and writes."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--top", required=True, help="module to synthesise")
    arguments.add_argument("--netlist", required=True, help="netlist to write (RTLIL)")
    arguments.add_argument("--resources", required=True, help="resource report to write (JSON)")
    arguments.add_argument("--no-dsp", action="store_true", help="multiply in LUTs, never in MULT18X18D")
    arguments.add_argument("sources", nargs="+", help="Verilog files")
    options = arguments.parse_args()
    design = yosys.Design()
    run(
        design,
        # Deferred: a module is elaborated for the parameters of its instances, not for its defaults, whose memory files
        # need not be there.
        *(f"read_verilog -defer {source}" for source in options.sources),
        f"hierarchy -check -top {options.top}",
        "proc -latches error",
        KEEP,
        "flatten",
        # A loop or an undriven wire is a fault of the kernel, found before mapping makes some value of it.
        "check -noinit -assert",
        "opt_clean -purge",
        *PREPARE,
        "share",
        "techmap -map +/cmp2lut.v -D LUT_WIDTH=4",
        "opt_expr",
        "opt_clean",
    )
    if not options.no_dsp:
        _read_cells(design, _MULTIPLIERS)
        run(design, *_TO_MULTIPLIERS)
    run(design, "alumacc", "opt", "memory -nomap", "opt_clean")
    if any(kind.startswith("$mem") for kind in cell_types(design)):
        narrow_roms(design)
        _read_cells(design, _MEMORIES)
        map_memories(design)
    _read_cells(design, _LOGIC)
    Path("flip_flops.v").write_text(_flip_flops(), encoding="utf-8")
    run(design, *_TO_FLIP_FLOPS)
    map_logic(design, _WIRE_DELAY, _INPUTS)
    run(design, "clean")
    map_luts(design, _lut)
    run(
        design,
        "opt_lut_ins -tech lattice",
        "clean",
        "autoname",
        f"hierarchy -check -top {options.top}",
        *MERGE,
        # What flattening left of the hierarchy; it is no hardware.
        f"delete {options.top}/t:$scopeinfo",
        # An unmapped cell: better found here than in place and route.
        f"check -mapped -noinit -assert {options.top}",
    )
    forget_sources(design, options.top)
    # Selected: without the simulation models of the primitives, whose sources are named by absolute paths.
    run(design, f"select {options.top}", f"write_rtlil -selected {options.netlist}", "select -clear")
    write_resources(resources(module_named(design, options.top)), options.resources)


def _read_cells(design: Any, names: set[str]) -> None:
    """Reads some primitives: a small core's time is that of Yosys' libraries, at all of which every pass looks."""
    text = "".join(modules(library(f"lattice/{name}"), names) for name in _LIBRARIES)
    Path("cells.v").write_text(text, encoding="utf-8")
    run(design, "read_verilog -lib -specify cells.v")


def _flip_flops() -> str:
    """The mappings of flip-flops, without LUTs and what Verilog for other tools names."""
    text = library("lattice/cells_map_trellis.v")
    return re.sub(r"^`include.*\n", "", text[: text.index("`ifndef NO_LUT")], flags=re.MULTILINE)


def _lut(inputs: int, table: str) -> Primitive | None:
    """A LUT4, whose last inputs are those that are used."""
    unused = _INPUTS - inputs
    ports = tuple("ABCD")
    return Primitive("LUT4", ports[unused:], "Z", "".join(bit * 2**unused for bit in table), ports[:unused])


if __name__ == "__main__":
    main()
    finish()
