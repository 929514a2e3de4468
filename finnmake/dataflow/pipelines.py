"""Cycles and memory styles of the Verilog modules that several kernels share (``hls_library/common``)."""

from __future__ import annotations

POPCOUNT_GROUP = 7
"""Bits that ``popcount.v`` counts without a register in between: seven bits make a full three-bit number."""

COMBINATIONAL_STEPS = 3
"""Up to so many thresholds ``multi_threshold.v`` compares and counts in one cycle; more are searched."""

SEARCH_STAGES = 8
"""Most bits of a count that ``multi_threshold.v`` searches."""

BLOCK_STAGE_BITS = 4096
"""From so many bits on, a search stage's memory is a block memory: a quarter of one, or about 500 LUT4s of ECP5."""


def adder_tree_cycles(operands: int) -> int:
    """Registers from input to output of ``adder_tree.v``: one after every second level, and one after the last."""
    return ((operands - 1).bit_length() + 1) // 2


def popcount_cycles(bits: int) -> int:
    """Registers from input to output of ``popcount.v``: one for the groups, then the tree that adds them."""
    return 1 + adder_tree_cycles(-(-bits // POPCOUNT_GROUP))


def multi_threshold_cycles(num_steps: int) -> int:
    """Registers from input to output of ``multi_threshold.v``.

    None for few steps, else one for each bit of the count.
    """
    return search_stages(num_steps)


def search_stages(num_steps: int) -> int:
    """Stages of ``multi_threshold.v``'s binary search, one a bit of the count; 0 where all steps are compared."""
    return 0 if num_steps <= COMBINATIONAL_STEPS else num_steps.bit_length()


def first_block_stage(ram_style: str, num_steps: int, folds: int, width: int) -> int:
    """First stage of a binary search whose memories are block memories; those behind it are deeper.

    ``SEARCH_STAGES`` where there is none. With ``block``, the first that has more than one word.

    Args:
        ram_style: the layer's choice: ``auto``, ``distributed`` or ``block``.
        num_steps: thresholds per channel.
        folds: words of the first stage's memory.
        width: bits of a threshold: each value that is compared has memories of its own.
    """
    for stage in range(search_stages(num_steps)):
        depth = folds << stage
        if (ram_style == "block" and depth > 1) or (ram_style == "auto" and depth * width >= BLOCK_STAGE_BITS):
            return stage
    return SEARCH_STAGES


def rom_style(ram_style: str, depth: int, width: int) -> str:
    """How ``rom.v`` holds a memory that is never written: ``block`` or ``registers``.

    LUT RAM that starts with contents exists not on every device: ``distributed`` becomes ``registers``, whose contents
    synthesis turns into LUTs. With ``auto``, a memory that would take hundreds of LUTs that way goes into block
    memory: its size alone decides, so that it stays a memory whatever it holds.

    Args:
        ram_style: the layer's choice: ``auto``, ``distributed`` or ``block``.
        depth: words.
        width: bits of a word.
    """
    if ram_style == "auto":
        return "block" if depth >= 32 and depth * width >= 1024 else "registers"
    return "registers" if ram_style == "distributed" else ram_style
