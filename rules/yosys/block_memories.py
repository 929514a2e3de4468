"""Maps memories with contents to block memories in a fraction of Yosys' time: what the rules of several FPGAs share.

Yosys makes one mapping a block memory with contents of its own, and evaluates thousands of assignments for it: a tenth
to half a second. Here the contents are put aside while block memories are mapped; all of one shape are mapped alike,
and the contents are cut into the primitives' parameters afterwards. Of a file of mappings, only those are read that map
something.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from library import library, modules
from passes import cell_types, cells, run
from pyosys import libyosys as yosys

_CONTENTS = yosys.IdString("\\INIT")


def map_cells(design: Any, files: Iterable[str]) -> None:
    """Maps what ``memory_libmap`` made, each file of Yosys in a step of its own."""
    for name in files:
        _map(design, modules(library(name), cell_types(design)), Path(name).name)


def map_block_memories(
    design: Any, types: tuple[str, ...], mappings: str, parameters: Callable[[str], Iterable[tuple[str, str]]]
) -> None:
    """Maps block memories.

    Args:
        design: behind ``memory_libmap``.
        types: of what ``memory_libmap`` made for them.
        mappings: Verilog that maps these, without contents.
        parameters: from contents, the last bit first, the names and values of the primitive's parameters.
    """
    contents = {
        (module.name.str(), cell.name.str()): _put_aside(cell)
        for module, cell in cells(design)
        if cell.type.str() in types
    }
    _map(design, modules(mappings, cell_types(design) & {*types}), "block_memories.v")
    for (module, name), bits in contents.items():
        primitive = design.module(yosys.IdString(module)).cell(yosys.IdString(name))
        for parameter, value in parameters(bits):
            primitive.setParam(yosys.IdString(f"\\{parameter}"), yosys.Const.from_string(value))


def _map(design: Any, mappings: str, file: str) -> None:
    if mappings:
        Path(file).write_text(mappings, encoding="utf-8")
        run(design, f"techmap -map {file}")


def _put_aside(cell: Any) -> str:
    """The contents of a mapped memory, the last bit first; none are left in it."""
    bits: str = cell.getParam(_CONTENTS).as_string()
    cell.setParam(_CONTENTS, yosys.Const.from_string("x"))
    return bits
