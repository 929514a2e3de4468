"""Makes LUTs of memories that are never written and are to be no block memories, a LUT for each 64 words of a bit.

Yosys makes multiplexers of constants of them, and lets ABC find out that those are LUTs: for the thresholds of a matrix
layer two thirds of the synthesis' time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyosys import libyosys as yosys

_ADDRESS_BITS = 6
_MARK = "rom_in_luts"
_INPUTS = tuple(yosys.IdString(f"\\I{number}") for number in range(_ADDRESS_BITS))
_MEMORY, _LUT, _INIT, _OUTPUT = (yosys.IdString(name) for name in ("$mem_v2", "\\LUT6", "\\INIT", "\\O"))


def map_roms(design: Any) -> None:
    """Maps them, in all modules of a design whose other memories have been mapped (``memory_libmap`` has run)."""
    for module in design.modules_.values():
        for cell in module.cells_.values():
            if cell.type == _MEMORY and _number(cell, "WR_PORTS") == 0 and _number(cell, "RD_WIDE_CONTINUATION") == 0:
                cell.set_bool_attribute(yosys.IdString(f"\\{_MARK}"), True)
    # Registers behind the memory get cells of their own.
    yosys.run_pass(f"memory_nordff */a:{_MARK}", design)
    for module in list(design.modules_.values()):
        for cell in list(module.cells_.values()):
            if cell.type == _MEMORY and cell.get_bool_attribute(yosys.IdString(f"\\{_MARK}")):
                _Rom(module, cell).map()
                module.remove(cell)


def _number(cell: Any, parameter: str) -> int:
    number: int = cell.getParam(yosys.IdString(f"\\{parameter}")).as_int()
    return number


class _Rom:
    """A memory with read ports only, that answer in the same cycle."""

    def __init__(self, module: Any, cell: Any) -> None:
        self._module, self._cell = module, cell
        self._name = cell.name.str()
        self._made = 0

    def map(self) -> None:
        """Drives what its ports read."""
        width, size, address_bits = (_number(self._cell, name) for name in ("WIDTH", "SIZE", "ABITS"))
        # The last bit of the last word first; what has no contents is read as zeros.
        text: str = self._cell.getParam(yosys.IdString("\\INIT")).as_string().rjust(width * size, "x").replace("x", "0")
        bits = [int(bit) for bit in reversed(text)]
        used = max(1, (size - 1).bit_length())
        addresses, data = (self._cell.getPort(yosys.IdString(f"\\{name}")) for name in ("RD_ADDR", "RD_DATA"))
        for port in range(_number(self._cell, "RD_PORTS")):
            address = [addresses.extract(port * address_bits + bit, 1) for bit in range(min(used, address_bits))]
            columns: dict[tuple[int, ...], Any] = {}
            for bit in range(width):
                column = tuple(bits[bit::width])
                if column not in columns:
                    columns[column] = self._read(column, address)
                self._module.connect(data.extract(port * width + bit, 1), columns[column])

    def _read(self, column: Sequence[int], address: Sequence[Any]) -> Any:
        """The bit of a column that an address selects."""
        if len(set(column)) == 1:
            return yosys.SigSpec(yosys.Const(column[0], 1))
        if len(address) > _ADDRESS_BITS:
            half = 1 << (len(address) - 1)
            if len(column) <= half:
                return self._read(column, address[:-1])
            low, high = self._read(column[:half], address[:-1]), self._read(column[half:], address[:-1])
            return self._module.Mux(self._identifier(), low, high, address[-1])
        return self._lut(column, address)

    def _lut(self, column: Sequence[int], address: Sequence[Any]) -> Any:
        """A LUT; an address bit that it does not have leads to both halves."""
        size = 1 << len(address)
        contents = ([*column, *[0] * (size - len(column))] * (1 << _ADDRESS_BITS))[: 1 << _ADDRESS_BITS]
        lut = self._module.addCell(self._identifier(), _LUT)
        lut.setParam(_INIT, yosys.Const.from_string("".join(str(bit) for bit in reversed(contents))))
        zero = yosys.SigSpec(yosys.Const(0, 1))
        for number, name in enumerate(_INPUTS):
            lut.setPort(name, address[number] if number < len(address) else zero)
        output = yosys.SigSpec(self._module.addWire(self._identifier(), 1))
        lut.setPort(_OUTPUT, output)
        return output

    def _identifier(self) -> Any:
        self._made += 1
        return yosys.IdString(f"$rom${self._name}${self._made}")
