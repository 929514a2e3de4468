"""``$lut`` to a LUT of an FPGA: what the rules of several FPGAs share.

Yosys' techmap elaborates a module for each function that a LUT has in a design: thousands.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from passes import cells
from pyosys import libyosys as yosys

_LUT = yosys.IdString("$lut")
_INPUTS, _OUTPUT, _TABLE, _WIDTH = (yosys.IdString(f"\\{name}") for name in ("A", "Y", "LUT", "WIDTH"))
_CONTENTS = yosys.IdString("\\INIT")
_GROUND = yosys.SigSpec(yosys.State.S0, 1)


class Primitive(NamedTuple):
    """A LUT of an FPGA.

    Attributes:
        kind: the type of the cell.
        inputs: the port of each input of the ``$lut``.
        output: the port.
        table: the contents, last bit first; none where it has none.
        grounded: ports that are 0.
    """

    kind: str
    inputs: tuple[str, ...]
    output: str
    table: str = ""
    grounded: tuple[str, ...] = ()


def map_luts(design: Any, primitive: Callable[[int, str], Primitive | None]) -> bool:
    """Maps all ``$lut``.

    Args:
        design: without those that are wider than a LUT is.
        primitive: for a number of inputs and a table, last bit first; none where there is none.

    Returns:
        whether none is left.
    """
    luts = [cell for _, cell in cells(design) if cell.type == _LUT]
    mapped = [_map(cell, primitive) for cell in luts]
    return all(mapped)


def _map(cell: Any, primitive: Callable[[int, str], Primitive | None]) -> bool:
    inputs = cell.getPort(_INPUTS)
    found = primitive(inputs.size(), cell.getParam(_TABLE).as_string())
    if found is None:
        return False
    output = cell.getPort(_OUTPUT)
    cell.unsetPort(_INPUTS)
    cell.unsetPort(_OUTPUT)
    cell.unsetParam(_TABLE)
    cell.unsetParam(_WIDTH)
    cell.type = yosys.IdString(f"\\{found.kind}")
    if found.table:
        cell.setParam(_CONTENTS, yosys.Const.from_string(found.table))
    for port in found.grounded:
        cell.setPort(yosys.IdString(f"\\{port}"), _GROUND)
    for position, port in enumerate(found.inputs):
        cell.setPort(yosys.IdString(f"\\{port}"), inputs.extract(position, 1))
    cell.setPort(yosys.IdString(f"\\{found.output}"), output)
    return True
