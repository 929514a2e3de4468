"""Maps memories to the primitives of AMD/Xilinx FPGAs, as step ``map_memory`` of synth_xilinx does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from block_memories import map_block_memories, map_cells
from library import library
from passes import run

# The arguments of synth_xilinx.
_LIBRARIES = {
    "xc7": "-lib +/xilinx/lutrams_xc5v.txt -lib +/xilinx/brams_xc4v.txt -D HAS_SIZE_36 -D HAS_CASCADE "
    "-D HAS_MIXWIDTH_SDP -no-auto-huge",
    "xcup": "-lib +/xilinx/lutrams_xcu.txt -lib +/xilinx/brams_xc4v.txt -D HAS_SIZE_36 -D HAS_MIXWIDTH_SDP "
    "-D HAS_ADDRCE -lib +/xilinx/urams.txt",
}
_BLOCK_MEMORIES = {"xc7": "xilinx/brams_xc6v_map.v", "xcup": "xilinx/brams_xcu_map.v"}
_LINE = 256
"""Bits of one parameter of contents."""


def map_memories(design: Any, family: str) -> None:
    """Maps all memories of a design; those that are to be registers or gates stay as they are.

    Args:
        design: behind step ``coarse`` of synth_xilinx.
        family: ``xc7`` or ``xcup``.
    """
    run(design, f"memory_libmap -logic-cost-rom 0.015625 {_LIBRARIES[family]}")
    map_cells(design, ["xilinx/lutrams_xc5v_map.v"])
    types = ("$__XILINX_BLOCKRAM_TDP_", "$__XILINX_BLOCKRAM_SDP_")
    map_block_memories(design, types, _without_contents(_BLOCK_MEMORIES[family]), _parameters)
    map_cells(design, ["xilinx/urams_map.v"])


def _without_contents(name: str) -> str:
    """A file of mappings, with what it includes, whose primitives get no contents."""
    included = re.sub(
        r"^`define PARAMS_INIT.*\\\n(?:.*\\\n)*.*\n", "", library("xilinx/brams_defs.vh"), flags=re.MULTILINE
    )
    mappings = re.sub(r"^\s*`PARAMS_INIT\w*\n", "", library(name), flags=re.MULTILINE)
    return mappings.replace('`include "brams_defs.vh"\n', included)


def _parameters(bits: str) -> Iterator[tuple[str, str]]:
    """The contents of a RAMB18 or RAMB36.

    Every ninth bit is kept by itself, as what was meant for parity: in Yosys' ``xilinx/brams_defs.vh``, functions
    ``slice_init`` and ``slice_initp``.
    """
    groups = [bits[max(0, end - 9) : end].rjust(9, "x") for end in range(len(bits), 0, -9)]
    data = "".join(group[1:] for group in reversed(groups))
    parity = "".join(group[0] for group in reversed(groups))
    for name, part in (("INIT", data), ("INITP", parity)):
        for number, end in enumerate(range(len(part), 0, -_LINE)):
            yield f"{name}_{number:02X}", part[max(0, end - _LINE) : end].rjust(_LINE, "x")
