"""Memories as constants of C++: for each chunk of a word an array of its own, as ``finnmake::Rom`` takes them."""

from __future__ import annotations

from finnmake.dataflow.layer import MemoryImage
from finnmake.dataflow.packing import memory_words

CHUNK_BITS = 32
"""Bits of a chunk where whole words are read: the default of ``finnmake::Memory`` (``include/synthesis.hpp``)."""


def chunk_bits(image: MemoryImage) -> int:
    """Bits of a chunk: of one element where each element of a word has an address of its own."""
    return image.datatype.bitwidth() if image.separate_addresses else CHUNK_BITS


def chunk_names(name: str, image: MemoryImage) -> list[str]:
    """Names of the arrays, the one with the least significant bits first."""
    return [f"{name}_chunk_{index}" for index in range(-(-image.width // chunk_bits(image)))]


def constants_text(name: str, image: MemoryImage) -> str:
    """C++ definitions of the arrays of a memory, one number a word.

    Raises:
        ModelError: values that the image's datatype does not have.
    """
    bits = chunk_bits(image)
    words = [int(word, 16) for word in memory_words(image)]
    kind = f"static const finnmake::Chunk<{min(bits, image.width)}>"
    suffix = "ULL" if bits > 32 else "U"
    lines = []
    for index, array in enumerate(chunk_names(name, image)):
        numbers = (f"{(word >> (index * bits)) & ((1 << bits) - 1):#x}{suffix}," for word in words)
        lines += [f"{kind} {array}[{image.depth}] = {{", *numbers, "};"]
    return "\n".join(lines) + "\n"
