"""Merges the netlists of all cores with the stitched design and the shell to one flat netlist for nextpnr-ecp5.

The cores are linked as they were synthesised: only the sources given here are synthesised, with the cores as black
boxes. After linking, what nothing reads is swept away; no logic is optimised across the border of a core.
"""

from __future__ import annotations

import argparse
from typing import Any

from netlist import fail, forget_sources, module_named, module_names, resources, write_resources
from passes import run
from pyosys import libyosys as yosys


def linked_shell(options: argparse.Namespace) -> Any:
    """The sources, synthesised around black boxes, as a design that holds the netlist of the top module only."""
    design = yosys.Design()
    cores: list[str] = []
    for netlist in options.netlists:
        before = set(module_names(design))
        run(design, f"read_rtlil {netlist}")
        added = sorted(set(module_names(design)) - before)
        if len(added) != 1:
            fail(f"{netlist}: holds {len(added)} new modules, one core is expected")
        cores += added
    run(
        design,
        *(f"blackbox {core}" for core in cores),
        *(f"read_verilog -defer {source}" for source in options.sources),
        # No wide multiplexers: they cost nearly twice the LUTs for few-bit arithmetic, and no clock.
        f"synth_ecp5 -nowidelut -top {options.top}{' -nodsp' if options.no_dsp else ''}",
    )
    # Notes of the flattening; nextpnr knows no such cell.
    run(design, "delete t:$scopeinfo")
    forget_sources(design, options.top)
    run(design, f"select {options.top}", "write_rtlil -selected shell.il", "select -clear")
    merged = yosys.Design()
    run(merged, "read_rtlil shell.il", *(f"read_rtlil {netlist}" for netlist in options.netlists))
    # Primitives as black boxes: directions of their ports are needed to see drivers and readers.
    run(merged, "read_verilog -lib -specify +/lattice/cells_sim_ecp5.v +/lattice/cells_bb_ecp5.v")
    return merged


def main() -> None:
    """Merges and writes."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--top", required=True, help="the shell's top module")
    arguments.add_argument("--netlist", required=True, help="netlist to write (Yosys JSON, for nextpnr)")
    arguments.add_argument("--verilog", help="the same netlist as Verilog, for simulation")
    arguments.add_argument("--resources", required=True, help="resource report to write (JSON)")
    arguments.add_argument("--no-dsp", action="store_true", help="no MULT18X18D for the sources")
    arguments.add_argument("--netlists", nargs="*", default=[], help="the cores' netlists (RTLIL), each once")
    arguments.add_argument(
        "--sources", nargs="+", required=True, help="Verilog of the stitched design and of the shell"
    )
    options = arguments.parse_args()
    design = linked_shell(options)
    run(
        design,
        f"hierarchy -check -top {options.top}",
        "flatten -noscopeinfo",
        "opt_clean -purge",
        f"check -mapped -noinit -assert {options.top}",
    )
    # Notes of the flattening; nextpnr knows no such cell.
    run(design, "delete t:$scopeinfo")
    forget_sources(design, options.top)
    run(design, f"select {options.top}", f"write_json -selected {options.netlist}")
    if options.verilog:
        run(design, f"write_verilog -noattr -selected {options.verilog}")
    run(design, "select -clear")
    write_resources(resources(module_named(design, options.top)), options.resources)


if __name__ == "__main__":
    main()
