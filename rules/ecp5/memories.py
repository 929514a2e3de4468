"""Maps memories to the primitives of ECP5, as step ``map_ram`` of synth_ecp5 does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from block_memories import map_block_memories, map_cells
from library import library
from passes import run

_WORD, _WORD_IN_LINE, _WORDS = 18, 20, 16
"""Bits of a word of a DP16KD, those that it takes in a parameter, and words in one of the parameters."""


def map_memories(design: Any) -> None:
    """Maps all memories of a design; those that are to be registers or gates stay as they are.

    Args:
        design: behind step ``coarse`` of synth_ecp5.
    """
    run(design, "memory_libmap -lib +/lattice/lutrams_trellis.txt -lib +/lattice/brams_16kd.txt")
    map_cells(design, ["lattice/lutrams_map_trellis.v"])
    without_contents = re.sub(r"^\s*\.INITVAL_.*\n", "", library("lattice/brams_map_16kd.v"), flags=re.MULTILINE)
    map_block_memories(design, ("$__DP16KD_", "$__PDPW16KD_"), without_contents, _parameters)


def _parameters(bits: str) -> Iterator[tuple[str, str]]:
    """The contents of a DP16KD."""
    words = [bits[max(0, end - _WORD) : end].rjust(_WORD, "x") for end in range(len(bits), 0, -_WORD)]
    for number, start in enumerate(range(0, len(words), _WORDS)):
        line = "".join(word.rjust(_WORD_IN_LINE, "0") for word in reversed(words[start : start + _WORDS]))
        yield f"INITVAL_{number:02X}", line.rjust(_WORD_IN_LINE * _WORDS, "0")
