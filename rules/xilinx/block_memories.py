"""Maps memories to the primitives of AMD/Xilinx FPGAs, as synth_xilinx does, in a fraction of its time.

Yosys makes one mapping a block memory with contents of its own, and evaluates some 37,000 assignments for it: half a
second. Here the contents are put aside while block memories are mapped; all of one shape are mapped alike, and the
contents are cut into the primitives' parameters afterwards. What maps block memories takes a second to read: it is left
out where there are none.
"""

from __future__ import annotations

from typing import Any

from pyosys import libyosys as yosys

# The arguments of synth_xilinx.
_LIBRARIES = {
    "xc7": "-lib +/xilinx/lutrams_xc5v.txt -lib +/xilinx/brams_xc4v.txt -D HAS_SIZE_36 -D HAS_CASCADE "
    "-D HAS_MIXWIDTH_SDP -no-auto-huge",
    "xcup": "-lib +/xilinx/lutrams_xcu.txt -lib +/xilinx/brams_xc4v.txt -D HAS_SIZE_36 -D HAS_MIXWIDTH_SDP "
    "-D HAS_ADDRCE -lib +/xilinx/urams.txt",
}
_LUT_MEMORIES, _ULTRA_RAMS = "lutrams_xc5v_map.v", "urams_map.v"
_BLOCK_MEMORIES = {"xc7": "brams_xc6v_map.v", "xcup": "brams_xcu_map.v"}
_BLOCK_MEMORY = "$__XILINX_BLOCKRAM_"
_LINE = 256
"""Bits of one parameter of contents."""


def map_memories(design: Any, family: str) -> None:
    """Maps all memories of a design; those that are to be registers or gates stay as they are.

    Args:
        design: behind step ``map_dsp`` of synth_xilinx, whose step ``map_memory`` this is.
        family: ``xc7`` or ``xcup``.
    """
    yosys.run_pass(f"memory_libmap -logic-cost-rom 0.015625 {_LIBRARIES[family]}", design)
    contents = {
        (module.name.str(), cell.name.str()): _put_aside(cell)
        for module in design.modules_.values()
        for cell in module.cells_.values()
        if cell.type.str().startswith(_BLOCK_MEMORY)
    }
    maps = [_LUT_MEMORIES, *([_BLOCK_MEMORIES[family]] if contents else []), _ULTRA_RAMS]
    for name in maps:
        yosys.run_pass(f"techmap -map +/xilinx/{name}", design)
    for (module, name), bits in contents.items():
        _put_back(design.module(yosys.IdString(module)).cell(yosys.IdString(name)), bits)


def _put_aside(cell: Any) -> str:
    """The contents of a mapped memory, the last bit first; none are left in it."""
    name = yosys.IdString("\\INIT")
    bits: str = cell.getParam(name).as_string()
    cell.setParam(name, yosys.Const.from_string("x"))
    return bits


def _put_back(primitive: Any, bits: str) -> None:
    """Gives a RAMB18 or RAMB36 its contents.

    Every ninth bit is kept by itself, as what was meant for parity: in Yosys' ``xilinx/brams_defs.vh``, functions
    ``slice_init`` and ``slice_initp``.
    """
    groups = [bits[max(0, end - 9) : end].rjust(9, "x") for end in range(len(bits), 0, -9)]
    data = "".join(group[1:] for group in reversed(groups))
    parity = "".join(group[0] for group in reversed(groups))
    for name, part in (("INIT", data), ("INITP", parity)):
        for number, end in enumerate(range(len(part), 0, -_LINE)):
            line = part[max(0, end - _LINE) : end].rjust(_LINE, "x")
            primitive.setParam(yosys.IdString(f"\\{name}_{number:02X}"), yosys.Const.from_string(line))
