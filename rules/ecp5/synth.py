"""Synthesises one IP core for ECP5, out of context, to a flat netlist in RTLIL and a resource report.

The files named ``*.mem`` that the sources read with $readmemh lie in the working directory; their contents end up in
the initial values of the memories.
"""

from __future__ import annotations

import argparse

from mapped_once import KEEP, MERGE
from netlist import forget_sources, module_named, resources, run, write_resources
from pyosys import libyosys as yosys
from roms import narrow_roms


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
    # No wide multiplexers: they cost nearly twice the LUTs for few-bit arithmetic, and no clock.
    synth = f"synth_ecp5 -nowidelut -top {options.top}{' -nodsp' if options.no_dsp else ''}"
    run(
        design,
        # Deferred: a module is elaborated for the parameters of its instances, not for its defaults, whose memory files
        # need not be there.
        *(f"read_verilog -defer {source}" for source in options.sources),
        # A loop or an undriven wire is a fault of the kernel, found before mapping makes some value of it.
        f"synth_ecp5 -run begin:coarse -top {options.top}",
        "proc",
        KEEP,
        "flatten",
        "check -noinit -assert",
        f"{synth} -run begin:map_ram",
    )
    narrow_roms(design)
    run(
        design,
        f"{synth} -run map_ram:",
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


if __name__ == "__main__":
    main()
