"""Comparisons to carry chains, as Yosys' ``cmp2lcu`` makes them: the bits of a LUT to one position of a ``$lcu``.

That is a techmap which calls itself for each bit, and elaborates a module for each pattern of constant bits at each of
them: a second for a layer whose thresholds have constant bits.
"""

from __future__ import annotations

from itertools import count
from typing import Any

from passes import cells
from pyosys import libyosys as yosys

_TYPES = frozenset({"$lt", "$le", "$gt", "$ge"})
_SWAPPED = {"$lt": "$gt", "$le": "$ge"}
_LCU = yosys.IdString("$lcu")


def map_comparisons(design: Any, lut_inputs: int) -> None:
    """Maps all ``$lt``, ``$le``, ``$gt`` and ``$ge``.

    Args:
        design: what one LUT does is mapped already.
        lut_inputs: how many inputs a LUT has, two at least.
    """
    found = [(module, cell) for module, cell in cells(design) if cell.type.str() in _TYPES]
    for module, cell in found:
        _map(_Gates(module, cell.name.str()), cell, lut_inputs)
        module.remove(cell)


class _Gates:
    """Makes gates in a module, whose names begin with that of what they replace."""

    def __init__(self, module: Any, name: str) -> None:
        self._module = module
        self._names = (yosys.IdString(f"$comparison{name}${number}") for number in count())

    def equal(self, left: Any, right: Any) -> Any:
        return self._module.XnorGate(next(self._names), left, right)

    def only(self, left: Any, right: Any) -> Any:
        """The first and not the second."""
        return self._module.AndnotGate(next(self._names), left, right)

    def both(self, left: Any, right: Any) -> Any:
        return self._module.AndGate(next(self._names), left, right)

    def either(self, left: Any, right: Any) -> Any:
        return self._module.OrGate(next(self._names), left, right)

    def carry_chain(self, propagate: list[Any], generate: list[Any], carry: bool, result: Any) -> None:
        """Lists from the least significant position on; the result is the last carry."""
        carries = self._module.addWire(next(self._names), len(propagate))
        cell = self._module.addCell(next(self._names), _LCU)
        cell.setParam(_id("WIDTH"), yosys.Const(len(propagate), 32))
        cell.setPort(_id("P"), _signal(propagate))
        cell.setPort(_id("G"), _signal(generate))
        cell.setPort(_id("CI"), yosys.SigSpec(yosys.State.S1 if carry else yosys.State.S0, 1))
        cell.setPort(_id("CO"), yosys.SigSpec(carries))
        last = yosys.SigSpec(carries).extract(len(propagate) - 1, 1)
        last.extend_u0(result.size())
        self._module.connect(result, last)


def _map(gates: _Gates, cell: Any, lut_inputs: int) -> None:
    kind = cell.type.str()
    operands = [_operand(cell, port) for port in "AB"]
    if kind in _SWAPPED:
        kind, operands = _SWAPPED[kind], operands[::-1]
    width = max(signal.size() for signal, _ in operands)
    for signal, is_signed in operands:
        signal.extend_u0(width, is_signed)
    first, second = ([signal.at(position) for position in reversed(range(width))] for signal, _ in operands)
    is_signed = all(signed for _, signed in operands)
    # From the most significant position on.
    propagate: list[Any] = []
    generate: list[Any] = []
    budget = 0
    for position, (left, right) in enumerate(zip(first, second, strict=True)):
        if is_signed and position == 0:
            left, right = right, left
        cost = (left.wire is not None) + (right.wire is not None)
        same, more = gates.equal(left, right), gates.only(left, right)
        if cost > budget or position == 0:
            propagate.append(same)
            generate.append(more)
            budget = lut_inputs - cost
        else:
            generate[-1] = gates.either(generate[-1], gates.both(propagate[-1], more))
            propagate[-1] = gates.both(propagate[-1], same)
            budget -= cost
    gates.carry_chain(propagate[::-1], generate[::-1], kind == "$ge", cell.getPort(_id("Y")))


def _operand(cell: Any, port: str) -> tuple[Any, bool]:
    return cell.getPort(_id(port)), cell.getParam(_id(f"{port}_SIGNED")).as_bool()


def _id(name: str) -> Any:
    return yosys.IdString(f"\\{name}")


def _signal(bits: list[Any]) -> Any:
    signal = yosys.SigSpec()
    for bit in bits:
        signal.append(bit)
    return signal
