"""Makes memories that are never written as narrow as what is read of them: what the rules of several FPGAs share.

Where values read elements of wide words, each has a memory of its own. Yosys makes multiplexers of whole words, and
finds out later that most of their bits lead nowhere: for a matrix layer with thresholds a third of the time.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

from pyosys import libyosys as yosys

_MEMORY, _DATA = (yosys.IdString(name) for name in ("$mem_v2", "\\RD_DATA"))
_OF_EACH_PORT = ("RD_INIT_VALUE", "RD_ARST_VALUE", "RD_SRST_VALUE")


def narrow_roms(design: Any) -> None:
    """Narrows them, in all modules of a design that holds its memories as ``$mem_v2`` cells, swept by ``opt_clean``."""
    for module in design.modules_.values():
        roms = {cell.name.str(): cell for cell in module.cells_.values() if _is_rom(cell)}
        if roms:
            read = _connected(module, roms)
            for cell in roms.values():
                _narrow(cell, read)


def _is_rom(cell: Any) -> bool:
    if cell.type != _MEMORY or _number(cell, "WR_PORTS") != 0:
        return False
    # A bit for each port, however many there are.
    single: bool = cell.getParam(yosys.IdString("\\RD_WIDE_CONTINUATION")).is_fully_zero()
    return single


def _connected(module: Any, roms: Container[str]) -> Any:
    """The pool of all bits in a module that a cell or a connection has, but for what the memories give."""
    signals = yosys.SigSpec()
    for cell in module.cells_.values():
        rom = cell.name.str() in roms
        for port, signal in cell.connections_.items():
            if not (rom and port == _DATA):
                signals.append(signal)
    for left, right in module.connections_:
        signals.append(left)
        signals.append(right)
    for wire in module.wires_.values():
        if wire.port_output:
            signals.append(yosys.SigSpec(wire))
    return signals.to_sigbit_pool()


def _narrow(cell: Any, read: Any) -> None:
    width, size, ports = (_number(cell, name) for name in ("WIDTH", "SIZE", "RD_PORTS"))
    data = cell.getPort(_DATA)
    columns = sorted({position % width for position, bit in enumerate(data.to_sigbit_vector()) if bit in read})
    if not columns or len(columns) == width:
        return
    kept = [port * width + column for port in range(ports) for column in columns]
    narrow = yosys.SigSpec()
    for position in kept:
        narrow.append(data.extract(position, 1))
    cell.setPort(_DATA, narrow)
    _choose(cell, "INIT", [word * width + column for word in range(size) for column in columns])
    for name in _OF_EACH_PORT:
        _choose(cell, name, kept)
    cell.setParam(yosys.IdString("\\WIDTH"), yosys.Const(len(columns), 32))


def _choose(cell: Any, parameter: str, positions: Sequence[int]) -> None:
    """Keeps some bits of a parameter; those it does not have are unknown."""
    name = yosys.IdString(f"\\{parameter}")
    text: str = cell.getParam(name).as_string()
    chosen = (text[len(text) - 1 - position] if position < len(text) else "x" for position in reversed(positions))
    cell.setParam(name, yosys.Const.from_string("".join(chosen)))


def _number(cell: Any, parameter: str) -> int:
    number: int = cell.getParam(yosys.IdString(f"\\{parameter}")).as_int()
    return number
