"""What FPGA families are made of, as far as estimates ask: LUTs, memories of LUTs, block memories, multipliers.

All of it is what Yosys 0.70 maps to: its library files ``lattice/brams_16kd.txt``, ``lattice/lutrams_trellis.txt``,
``xilinx/lutrams_xcu.txt`` and ``mul2dsp.v``, and the options of the rules' scripts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from finnmake.errors import BoardError

_BLOCK_SHAPES = ((1, 16384), (2, 8192), (4, 4096), (9, 2048), (18, 1024), (36, 512))
"""Widths and depths of one block memory: DP16KD of ECP5, 18 kbit, as BRAM_18K of Xilinx."""

_BYTE = 9
"""Bits of a block memory that are written together."""

_BLOCK_COST, _MULTIPLEXED_COST = 128.0, 0.5
"""What ``memory_libmap`` weighs a block memory with, and a bit of another word that a multiplexer chooses from."""


@dataclass(frozen=True)
class Fabric:
    """An FPGA family.

    Attributes:
        lut_inputs: 4 or 6.
        rows_of_luts: shapes of a memory of LUTs that is written at one address and read at another, the shallowest
            first: words, bits of a word, LUTs with what writes them, and what it costs ``memory_libmap``.
        largest_block: block memories of 18 kbit that make one of that many times the words.
        multiplier: bits of the two operands of a multiplier.
        signed_multipliers: it multiplies signed numbers only: an unsigned part of an operand takes a bit more.
    """

    lut_inputs: int
    rows_of_luts: tuple[tuple[int, int, int, float], ...]
    largest_block: int
    multiplier: tuple[int, int]
    signed_multipliers: bool

    def rom_luts(self, depth: int, width: int) -> int:
        """LUTs of a memory that is never written: a bit for as many words as one holds; one word is a constant."""
        return width * -(-depth // (1 << self.lut_inputs)) if depth > 1 else 0

    def written_luts(self, depth: int, width: int) -> int:
        """LUTs of a memory that is written, with the multiplexers behind its rows."""
        words, bits, luts, _ = self._row(depth)
        rows = -(-depth // words)
        # One more for each row where there are several: it is written or not.
        return rows * luts * -(-width // bits) + self.multiplexer_luts(rows, width) + (rows if rows > 1 else 0)

    def multiplexer_luts(self, words: int, width: int) -> int:
        """LUTs that choose one of several words.

        Of LUTs with four inputs nearly one for each bit of another word; those with six choose among four words, and
        multiplexers behind them take none.
        """
        bits = width * (words - 1)
        return bits if self.lut_inputs == 4 else -(-9 * bits // 20)

    def prefers_block(self, depth: int, width: int) -> bool:
        """True where Yosys, left to itself, makes a block memory of a small memory that is written.

        It compares costs: those of LUTs in proportion to the bits that are used, and half a unit for each bit of the
        multiplexers behind them.
        """
        words, bits, _, cost = self._row(depth)
        rows = -(-depth // words)
        luts = rows * width * cost / bits + _MULTIPLEXED_COST * width * (rows - 1)
        return luts > _BLOCK_COST * self.block_memories(depth, width)

    def block_memories(self, depth: int, width: int) -> int:
        """Block memories of 18 kbit of a memory that is written, of ``depth`` words of ``width`` bits."""
        return self._cheapest(depth, width, _written_blocks)[0]

    def block_roms(self, depth: int, width: int, copies: int = 1, part: int = 0) -> int:
        """Block memories of 18 kbit that memories take that are never written.

        Args:
            depth: words.
            width: bits of a word.
            copies: how many memories are loaded with the same words, each of which keeps a part.
            part: bits of a part, of which copy ``i`` keeps the ``i``-th; 0 for whole words. A block memory starts at a
                multiple of its width in the word, so that some parts lie in one more than they would fill.
        """
        firsts = [copy * part % width for copy in range(copies)]

        def blocks(rows: int, bits: int, width: int) -> int:
            if copies == 1:
                return -(-rows * width // bits)
            return rows * sum((first + part - 1) // bits - first // bits + 1 for first in firsts)

        return self._cheapest(depth, width, blocks)[0]

    def block_rows(self, depth: int, width: int) -> int:
        """Rows of block memories of a memory that is written: a multiplexer chooses among them."""
        return self._cheapest(depth, width, _written_blocks)[1]

    def product_multipliers(self, one: int, other: int) -> int:
        """Multipliers of a product of two signed numbers, of so many bits. Wider ones are cut as ``mul2dsp.v`` does."""
        count = 1
        for bits, limit in zip(sorted((one, other)), sorted(self.multiplier), strict=True):
            # All pieces but the most significant one are unsigned; one of a single bit is multiplied by gates.
            step = limit - int(self.signed_multipliers)
            cuts = max(0, -(-(bits - limit) // step))
            count *= cuts + int(bits - cuts * step > 1)
        return count

    def _cheapest(self, depth: int, width: int, count: Callable[[int, int, int], int]) -> tuple[int, int]:
        """Block memories and their rows in the shape that ``memory_libmap`` chooses.

        Args:
            depth: words.
            width: bits of a word.
            count: block memories of rows, bits of a block memory's words, bits of a word.
        """
        least, found = float("inf"), (0, 0)
        for size in range(1, self.largest_block + 1):
            for bits, words in _BLOCK_SHAPES:
                rows = -(-depth // (words * size))
                blocks = size * count(rows, bits, width)
                cost = _BLOCK_COST * blocks + _MULTIPLEXED_COST * width * (rows - 1)
                if cost < least:
                    least, found = cost, (blocks, rows)
        return found

    def _row(self, depth: int) -> tuple[int, int, int, float]:
        return next((row for row in self.rows_of_luts if depth <= row[0]), self.rows_of_luts[-1])


ECP5 = Fabric(4, ((16, 4, 6, 4.0),), 1, (18, 18), signed_multipliers=False)
"""Lattice ECP5: LUT4, TRELLIS_DPR16X4 with the two LUTs of its write port, DP16KD, MULT18X18D."""

_LUT6_ROWS = ((32, 14, 8, 16.0), (64, 7, 8, 16.0))

FABRICS: Mapping[str, Fabric] = {
    "ecp5": ECP5,
    "xc7": Fabric(6, ((32, 6, 4, 8.0), (64, 3, 4, 8.0)), 2, (25, 18), signed_multipliers=True),
    "xcup": Fabric(6, _LUT6_ROWS, 2, (27, 18), signed_multipliers=True),
}
"""By the name of a board's flow. Xilinx series 7: RAM32M, RAM64M, DSP48E1. UltraScale+: RAM32M16, RAM64M8, DSP48E2."""


def _written_blocks(rows: int, bits: int, width: int) -> int:
    """Pieces of words that are written, of several rows side by side: nine bits have a write enable."""
    piece = min(bits, _BYTE)
    return -(-rows * -(-width // piece) // (bits // piece))


def fabric_of(flow: str) -> Fabric:
    """The family that a synthesis flow is for.

    Raises:
        BoardError: an unknown flow.
    """
    try:
        return FABRICS[flow]
    except KeyError:
        raise BoardError(
            f"no resources can be estimated for the flow {flow!r}", remedy=f"Known: {', '.join(FABRICS)}."
        ) from None
