"""Logic to LUTs with ABC9, as Yosys' pass ``abc9`` does, in half of its time and less.

For each library that the pass makes on its way it puts the whole design aside and back, and maps with a copy of all of
it. Here the few boxes alone are copied, and what needs a design of its own gets one. All steps that change the design
are those of the pass.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from passes import cell_types, cells, run
from pyosys import libyosys as yosys

_BOXES, _HOLES, _MAP, _UNMAP = "$boxes", "$abc9_holes", "$abc9_map", "$abc9_unmap"
_SELECTED = "mapped_by_abc9"
_BYPASS = "_$abc9_byp"


def map_logic(design: Any, wire_delay: int, most_inputs: int = 0) -> None:
    """Makes ``$lut`` of all gates.

    Args:
        design: its modules are mapped to gates, flip-flops and primitives, without loops; those primitives with
            attributes for ABC9 are read with ``-specify``.
        wire_delay: of a wire, in ps.
        most_inputs: of a LUT; 0 for as many as the library has.
    """
    run(
        design,
        "abc9_ops -check",
        "abc9_ops -prep_hier",
        "abc9_ops -prep_bypass",
    )
    bypassed = any(name.str().endswith(_BYPASS) for name in design.modules_)
    if bypassed:
        run(design, f"techmap -wb -max_iter 1 -map %{_MAP}")
    run(
        design,
        "read_verilog -icells -lib -specify +/abc9_model.v",
        "abc9_ops -prep_delays -prep_xaiger",
        f"abc9_ops -prep_lut {most_inputs}",
        "abc9_ops -prep_box",
    )
    if any(cell.has_attribute(yosys.IdString("\\abc9_box_seq")) for _, cell in cells(design)):
        _map_holes(design)
    run(design, "aigmap")
    for module in design.selected_modules():
        _map_module(design, module, wire_delay)
    run(design, f"techmap -wb -map %{_UNMAP} -map +/abc9_unmap.v")
    if bypassed:
        run(design, f"delete =*{_BYPASS}")
    run(design, "setattr -mod -unset abc9_box_id")


def _map_holes(design: Any) -> None:
    """Makes gates of what ABC9 is to know of boxes: carry chains, mostly."""
    run(design, f"design -copy-to {_BOXES} =A:whitebox")
    holes = yosys.Design()
    run(holes, f"design -load {_HOLES}", f"techmap -wb -map %{_BOXES}", "simplemap")
    if not all(kind.startswith("$_") for kind in cell_types(holes)):
        run(holes, f"techmap -wb -map %{_BOXES} -map +/techmap.v")
    run(holes, "opt -purge", "aigmap", f"design -save {_HOLES}")


def _map_module(design: Any, module: Any, wire_delay: int) -> None:
    # An identifier that nothing in a design has is not kept by Yosys: this one lives here only.
    selected = yosys.IdString(f"\\{_SELECTED}")
    module.set_bool_attribute(selected, True)
    run(design, f"select A:{_SELECTED}")
    module.set_bool_attribute(selected, False)
    with TemporaryDirectory(dir=".") as folder:
        luts, boxes, symbols, logic, mapped = (
            str(Path(folder, name)) for name in ("input.lut", "input.box", "input.sym", "input.xaig", "output.aig")
        )
        run(
            design,
            f"abc9_ops -write_lut {luts}",
            f"abc9_ops -write_box {boxes}",
            f"write_xaiger -map {symbols} {logic}",
        )
        if design.scratchpad_get_int("write_xaiger.num_outputs", 0):
            run(
                design,
                f"abc9_exe -W {wire_delay} -cwd {folder} -lut {luts} -box {boxes}",
                f"read_aiger -xaiger -module_name {module.name.str()}$abc9 {mapped}",
                f"abc_ops_reintegrate -map {symbols}",
            )
    run(design, "select -clear")
