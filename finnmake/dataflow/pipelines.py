"""Cycles and memory styles of the Verilog modules that several kernels share (``hls_library/common``)."""

from __future__ import annotations

POPCOUNT_GROUP = 7
"""Bits that ``popcount.v`` counts without a register in between: seven bits make a full three-bit number."""

COMBINATIONAL_STEPS = 3
"""Up to so many thresholds ``multi_threshold.v`` compares and counts in one cycle."""


def adder_tree_cycles(operands: int) -> int:
    """Registers from input to output of ``adder_tree.v``: one after every second level, and one after the last."""
    return ((operands - 1).bit_length() + 1) // 2


def popcount_cycles(bits: int) -> int:
    """Registers from input to output of ``popcount.v``: one for the groups, then the tree that adds them."""
    return 1 + adder_tree_cycles(-(-bits // POPCOUNT_GROUP))


def multi_threshold_cycles(num_steps: int) -> int:
    """Registers from input to output of ``multi_threshold.v``.

    None for few steps, else one for the comparisons and those of the count.
    """
    return 0 if num_steps <= COMBINATIONAL_STEPS else 1 + popcount_cycles(num_steps)


def rom_style(ram_style: str, depth: int, width: int) -> str:
    """The ``ram_style`` attribute of a memory that is never written, legal in Yosys and Vivado.

    LUT RAM that starts with contents exists on no device of ours: ``distributed`` becomes ``registers``, whose contents
    synthesis turns into gates. With ``auto``, a memory that would take hundreds of LUTs that way goes into block
    memory: its size alone decides, so that it stays a memory whatever it holds.

    Args:
        ram_style: the layer's choice: ``auto``, ``distributed`` or ``block``.
        depth: words.
        width: bits of a word.
    """
    if ram_style == "auto":
        return "block" if depth >= 32 and depth * width >= 1024 else "registers"
    return "registers" if ram_style == "distributed" else ram_style
