"""Between arrays of integers and the packed words that cross AXI4-Stream ports and fill memories.

A packed word is ``ceil(bits / 8)`` bytes, little endian: element 0 in the least significant bits, elements without
gaps, unused bits of the last byte zero. Encoding: two's complement; BIPOLAR -1/+1 as 0/1.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from finnmake.dataflow.layer import IntegerArray, MemoryImage
from finnmake.errors import ModelError
from finnmake.graph.datatype import AnyDataType, DataType

PackedWords = NDArray[np.uint8]

_UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


def _container_bytes(bits: int) -> int:
    return next(size for size in _UNSIGNED if bits <= 8 * size)


def _check_integer(datatype: AnyDataType) -> None:
    if not datatype.is_integer():
        raise ModelError(f"{datatype.name} has no integer encoding", remedy="Only integer datatypes cross a stream.")


def pack_words(values: IntegerArray, datatype: AnyDataType) -> PackedWords:
    """Packs words of elements.

    Args:
        values: shape (words, elements per word); every value must be allowed by ``datatype``.
        datatype: of one element.

    Returns:
        Shape (words, ceil(elements * bits / 8)), uint8.

    Raises:
        ModelError: a value that the datatype does not have, or a datatype that is not an integer.
    """
    _check_integer(datatype)
    values = np.asarray(values)
    if values.ndim != 2:
        raise ModelError(f"words must have the shape (words, elements), not {values.shape}")
    if not datatype.allowed_array(values):
        raise ModelError(f"values {values.min()} … {values.max()} do not fit {datatype.name}")
    if datatype.name == "BIPOLAR":
        values = (values > 0).astype(np.int64)
    words, elements = values.shape
    bits = datatype.bitwidth()
    size = _container_bytes(bits)
    # The cast to an unsigned container wraps negative values: two's complement.
    encoded = np.ascontiguousarray(values.astype(np.dtype(_UNSIGNED[size]).newbyteorder("<")))
    as_bytes = encoded.view(np.uint8).reshape(words, elements, size)
    if bits == 8 * size:
        return as_bytes.reshape(words, elements * size)
    bit_array = np.unpackbits(as_bytes, axis=-1, count=bits, bitorder="little")
    return np.packbits(bit_array.reshape(words, elements * bits), axis=-1, bitorder="little")


def unpack_words(packed: PackedWords, datatype: AnyDataType, elements: int) -> IntegerArray:
    """The inverse of `pack_words`.

    Args:
        packed: shape (words, ceil(elements * bits / 8)), uint8.
        datatype: of one element.
        elements: elements in one word.

    Returns:
        Shape (words, elements), int64; uint64 for UINT64.

    Raises:
        ModelError: words of another size, or an encoding that the datatype does not have (TERNARY ``10``).
    """
    _check_integer(datatype)
    packed = np.ascontiguousarray(packed, dtype=np.uint8)
    bits = datatype.bitwidth()
    expected = (elements * bits + 7) // 8
    if packed.ndim != 2 or packed.shape[1] != expected:
        raise ModelError(f"packed words must have the shape (words, {expected}), not {packed.shape}")
    words = packed.shape[0]
    size = _container_bytes(bits)
    if bits == 8 * size:
        as_bytes = packed.reshape(words, elements, size)
    else:
        bit_array = np.unpackbits(packed, axis=-1, count=elements * bits, bitorder="little")
        per_element = bit_array.reshape(words, elements, bits)
        as_bytes = np.packbits(per_element, axis=-1, bitorder="little")
        if as_bytes.shape[-1] < size:
            padding = ((0, 0), (0, 0), (0, size - as_bytes.shape[-1]))
            as_bytes = np.pad(as_bytes, padding)
    unsigned = np.ascontiguousarray(as_bytes).view(np.dtype(_UNSIGNED[size]).newbyteorder("<"))
    values: IntegerArray = unsigned.reshape(words, elements).astype(
        np.int64 if datatype != DataType["UINT64"] else np.uint64
    )
    if datatype.name == "BIPOLAR":
        return 2 * values - 1
    if datatype.signed() and bits < 64:
        sign = np.int64(1) << np.int64(bits - 1)
        values = (values ^ sign) - sign
    if not datatype.allowed_array(values):
        raise ModelError(f"the words hold values that {datatype.name} does not have")
    return values


def npy_to_packed(frames: IntegerArray, datatype: AnyDataType, elements_per_word: int) -> PackedWords:
    """Packs whole frames for a stream.

    Args:
        frames: shape (batch, ...); a frame's elements are sent in C order.
        datatype: of one element.
        elements_per_word: elements side by side in one word; must divide the elements of a frame.

    Returns:
        Shape (batch * words per frame, bytes per word), uint8.

    Raises:
        ModelError: values that do not fit, or words that do not divide a frame.
    """
    frames = np.asarray(frames)
    flat = frames.reshape(frames.shape[0], -1) if frames.size else frames.reshape(0, elements_per_word)
    if flat.shape[1] % elements_per_word:
        raise ModelError(f"words of {elements_per_word} elements do not divide a frame of {flat.shape[1]}")
    return pack_words(flat.reshape(-1, elements_per_word), datatype)


def packed_to_npy(
    packed: PackedWords, datatype: AnyDataType, elements_per_word: int, words_per_frame: int
) -> IntegerArray:
    """Unpacks whole frames of a stream.

    Args:
        packed: shape (batch * words per frame, bytes per word), uint8.
        datatype: of one element.
        elements_per_word: elements side by side in one word.
        words_per_frame: words that make up one frame.

    Returns:
        Shape (batch, elements per frame), int64.

    Raises:
        ModelError: words of another size, or a last frame that is not whole.
    """
    if packed.shape[0] % words_per_frame:
        raise ModelError(f"{packed.shape[0]} words are no whole number of frames of {words_per_frame} words")
    return unpack_words(packed, datatype, elements_per_word).reshape(-1, words_per_frame * elements_per_word)


def memory_words(image: MemoryImage) -> list[str]:
    """Each word of a memory as hex digits, most significant first, as wide as the word needs.

    Raises:
        ModelError: values that the image's datatype does not have.
    """
    digits = (image.width + 3) // 4
    return [bytes(word[::-1]).hex().rjust(digits, "0")[-digits:] for word in pack_words(image.words, image.datatype)]


def memory_text(image: MemoryImage) -> str:
    """The memory as ``$readmemh`` loads it: one word a line, hex, most significant digit first."""
    return "".join(f"{word}\n" for word in memory_words(image))


def read_memory_text(text: str, datatype: AnyDataType, elements: int) -> IntegerArray:
    """The inverse of `memory_text`: shape (depth, elements), int64.

    Raises:
        ModelError: text that is no list of hex words of this width, or values the datatype does not have.
    """
    size = (elements * datatype.bitwidth() + 7) // 8
    packed = np.frombuffer(b"".join(_hex_words(text.split(), size)), dtype=np.uint8)
    return unpack_words(packed.reshape(-1, size), datatype, elements)


def _hex_words(words: Iterable[str], size: int) -> Iterable[bytes]:
    for number, word in enumerate(words):
        try:
            yield int(word, 16).to_bytes(size, "little")
        except (ValueError, OverflowError) as error:
            raise ModelError(f"{word!r} is not a word of {size} bytes in hex", where=f"memory word {number}") from error
