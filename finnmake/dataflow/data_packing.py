"""Packed words as FINN users know them: the innermost dimension of an array as bytes, hex digits or Python integers.

The names and orders are those of FINN's ``finn.util.data_packing``. By default the first element is the most
significant one and bytes are big-endian; ``reverse_inner`` puts the first element into the least significant bits, and
``reverse_endian`` the least significant byte first. Both together are what streams and memories use here (``packing``).
Elements lie side by side without gaps; what pads a word is zeros in its most significant bits. BIPOLAR -1/+1 is packed
as 0/1, fixed-point values as integers of their steps, FLOAT32 and FLOAT16 as IEEE bits.

Everything is vectorised; words of any number of elements of 1 to 64 bits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from finnmake.dataflow.packing import PackedWords, pack_words, unpack_words
from finnmake.errors import ModelError
from finnmake.graph.datatype import AnyDataType, DataType

Array = NDArray[Any]

_FLOATS: dict[str, tuple[type[np.generic], type[np.generic]]] = {
    "FLOAT16": (np.float16, np.uint16),
    "FLOAT32": (np.float32, np.uint32),
}
_HEX_DIGITS = np.frombuffer(b"".join(b"%02x" % byte for byte in range(256)), dtype=np.uint8).reshape(256, 2)


def finnpy_to_packed_bytearray(
    ndarray: ArrayLike, dtype: AnyDataType, reverse_inner: bool = False, reverse_endian: bool = False
) -> PackedWords:
    """Packs the innermost dimension: (1, 49, 16) of a 1-bit type becomes (1, 49, 2) bytes.

    Args:
        ndarray: values of ``dtype``, at least one dimension.
        dtype: of the elements.
        reverse_inner: the first element least significant instead of most.
        reverse_endian: the least significant byte first instead of last.

    Returns:
        uint8, the same shape but for the innermost dimension: ``ceil(elements * bits / 8)``.

    Raises:
        ModelError: a value that the datatype does not have.
    """
    values = np.asarray(ndarray)
    if values.ndim == 0:
        raise ModelError(
            "a number has no innermost dimension to pack", remedy="Pack an array of one dimension or more."
        )
    integers, encoding = _encode(values, dtype)
    rows = integers.reshape(int(np.prod(values.shape[:-1])), values.shape[-1])
    words = pack_words(rows if reverse_inner else rows[:, ::-1], encoding)
    words = words if reverse_endian else words[:, ::-1]
    return np.ascontiguousarray(words).reshape(*values.shape[:-1], words.shape[1])


def packed_bytearray_to_finnpy(
    packed_bytearray: PackedWords,
    dtype: AnyDataType,
    output_shape: Sequence[int] | None = None,
    reverse_inner: bool = False,
    reverse_endian: bool = False,
) -> Array:
    """The inverse of `finnpy_to_packed_bytearray`.

    Args:
        packed_bytearray: uint8, at least one dimension, the innermost one the bytes of a word.
        dtype: of the elements.
        output_shape: of the result. Its innermost dimension says how many elements a word has; without it, as many
            as fit.
        reverse_inner: the first element is the least significant one.
        reverse_endian: the least significant byte is the first one.

    Returns:
        float32; where the datatype has integers that a float32 does not hold, float64, int64 or uint64.

    Raises:
        ModelError: bytes of another type or number, or a code that the datatype does not have.
    """
    packed = np.asarray(packed_bytearray)
    if packed.dtype != np.uint8 or packed.ndim == 0:
        raise ModelError(
            f"packed words are {packed.dtype} of {packed.ndim} dimensions", remedy="They must be bytes: uint8."
        )
    elements = int(output_shape[-1]) if output_shape is not None else packed.shape[-1] * 8 // dtype.bitwidth()
    shape = (*packed.shape[:-1], elements) if output_shape is None else tuple(output_shape)
    rows = packed.reshape(int(np.prod(packed.shape[:-1])), packed.shape[-1])
    _, encoding = _encode(np.zeros(0), dtype)
    words = _without_padding(rows if reverse_endian else rows[:, ::-1], elements * dtype.bitwidth())
    values = unpack_words(words, encoding, elements)
    values = values if reverse_inner else values[:, ::-1]
    if values.size != np.prod(shape, dtype=np.int64):
        raise ModelError(f"{values.size} elements do not have the shape {shape}")
    return _decode(np.ascontiguousarray(values), dtype).reshape(shape)


def array2hexstring(
    array: ArrayLike, dtype: AnyDataType, pad_to_nbits: int, prefix: str = "0x", reverse: bool = False
) -> str:
    """A one-dimensional array as hex digits: ``array2hexstring([1, 1, 1, 0], DataType["BINARY"], 8) == "0x0e"``.

    Args:
        array: values of ``dtype``.
        dtype: of the elements.
        pad_to_nbits: bits of the word; at least 4, as a digit has.
        prefix: in front of the digits.
        reverse: the last element most significant instead of the first.

    Raises:
        ModelError: a value that the datatype does not have, more bits than the word has, or more dimensions than one.
    """
    values = np.asarray(array)
    if values.ndim != 1:
        raise ModelError(f"an array of {values.ndim} dimensions is no word", remedy="Give one dimension.")
    return str(pack_innermost_dim_as_hex_string(values, dtype, pad_to_nbits, reverse, prefix)[()])


def pack_innermost_dim_as_hex_string(
    ndarray: ArrayLike, dtype: AnyDataType, pad_to_nbits: int, reverse_inner: bool = False, prefix: str = "0x"
) -> NDArray[np.str_]:
    """Every word of the innermost dimension as hex digits, see `array2hexstring`; the shape without that dimension.

    Raises:
        ModelError: a value that the datatype does not have, or more bits than the word has.
    """
    values = np.asarray(ndarray)
    packed = finnpy_to_packed_bytearray(values, dtype, reverse_inner)
    bits = values.shape[-1] * dtype.bitwidth()
    if bits > max(4, pad_to_nbits):
        raise ModelError(f"{values.shape[-1]} x {dtype} are {bits} bits, more than {pad_to_nbits}")
    digits = (max(4, pad_to_nbits) + 3) // 4
    rows = _HEX_DIGITS[packed.reshape(-1, packed.shape[-1])].reshape(int(np.prod(packed.shape[:-1])), -1)
    text = np.full((len(rows), len(prefix) + digits), ord("0"), dtype=np.uint32)
    text[:, : len(prefix)] = [ord(character) for character in prefix]
    kept = min(digits, rows.shape[1])
    text[:, text.shape[1] - kept :] = rows[:, rows.shape[1] - kept :]
    return text.view(f"<U{text.shape[1]}").reshape(values.shape[:-1])


def unpack_innermost_dim_from_hex_string(
    ndarray: ArrayLike, dtype: AnyDataType, out_shape: Sequence[int], packedBits: int, reverse_inner: bool = False
) -> Array:
    """The inverse of `pack_innermost_dim_as_hex_string`.

    Args:
        ndarray: words as hex digits, with or without ``0x``, in any shape.
        dtype: of the elements.
        out_shape: of the result; its innermost dimension says how many elements a word has.
        packedBits: bits of a word.
        reverse_inner: the first element is the least significant one.

    Raises:
        ModelError: words that are not hex, have more bits, or are not as many as the shape has.
    """
    words = [_parsed(str(word)) for word in np.ravel(np.asarray(ndarray))]
    return _from_numbers(words, dtype, out_shape, packedBits, reverse_inner)


def hexstring2npbytearray(hexstring: str, remove_prefix: str = "0x") -> PackedWords:
    """``hexstring2npbytearray("0x0f01")`` is ``[15, 1]``.

    Raises:
        ModelError: text that is not hex, or an odd number of digits.
    """
    try:
        return np.frombuffer(bytes.fromhex(hexstring.removeprefix(remove_prefix)), dtype=np.uint8).copy()
    except ValueError:
        raise ModelError(f"{hexstring!r} is no row of bytes in hex") from None


def npbytearray2hexstring(npbytearray: PackedWords, prefix: str = "0x") -> str:
    """``npbytearray2hexstring([15, 1])`` is ``0x0f01``."""
    return prefix + np.asarray(npbytearray, dtype=np.uint8).tobytes().hex()


def npy_to_rtlsim_input(
    input_file: str | Path | Array, input_dtype: AnyDataType, pad_to_nbits: int, reverse_inner: bool = True
) -> list[int]:
    """The words of an array, or of an ``.npy`` file, as Python integers, in the order in which a stream takes them.

    Args:
        input_file: the array or the file's path.
        input_dtype: of the elements.
        pad_to_nbits: bits of the stream.
        reverse_inner: the first element of a word least significant, as the streams here have it.

    Raises:
        ModelError: a value that the datatype does not have, or more bits than the stream has.
    """
    array = input_file if isinstance(input_file, np.ndarray) else np.load(input_file, allow_pickle=False)
    words = pack_innermost_dim_as_hex_string(array, input_dtype, pad_to_nbits, reverse_inner)
    return [int(word, 16) for word in words.ravel().tolist()]


def rtlsim_output_to_npy(
    output: Iterable[int],
    path: str | Path | None,
    dtype: AnyDataType,
    shape: Sequence[int],
    packedBits: int,
    targetBits: int,
    reverse_inner: bool = True,
) -> Array:
    """The words that a stream gave as an array, the inverse of `npy_to_rtlsim_input`.

    Args:
        output: the words.
        path: ``.npy`` file to write the array to as well; None for no file.
        dtype: of the elements.
        shape: of the array; its innermost dimension says how many elements a word has.
        packedBits: bits of the stream.
        targetBits: bits of an element, those of ``dtype``.
        reverse_inner: the first element of a word is the least significant one.

    Raises:
        ModelError: words of more bits, or not as many as the shape has; other ``targetBits`` than the datatype's.
    """
    if targetBits != dtype.bitwidth():
        raise ModelError(f"targetBits is {targetBits}, but {dtype} has {dtype.bitwidth()} bits")
    array = _from_numbers([int(word) for word in output], dtype, shape, packedBits, reverse_inner)
    if path is not None:
        np.save(path, array)
    return array


def _encode(values: Array, dtype: AnyDataType) -> tuple[Array, AnyDataType]:
    """Integers with the bits of the values, and the datatype of these integers."""
    if dtype.name in _FLOATS:
        kind, bits = _FLOATS[dtype.name]
        return np.ascontiguousarray(values, dtype=kind).view(bits), DataType[f"UINT{dtype.bitwidth()}"]
    if dtype.is_scaled_integer():
        raise ModelError(f"{dtype} does not say which integers its values are", remedy="Pack the integers as INT.")
    if not dtype.allowed_array(values):
        raise ModelError(f"values {values.min()} … {values.max()} do not fit {dtype}")
    if dtype.is_fixed_point():
        steps = np.asarray(values, dtype=np.float64) / dtype.scale_factor()
        return steps.astype(np.int64), DataType[f"INT{dtype.bitwidth()}"]
    if values.dtype.kind == "f":
        return values.astype(np.int64 if dtype.signed() else np.uint64), dtype
    return values, dtype


def _decode(integers: Array, dtype: AnyDataType) -> Array:
    if dtype.name in _FLOATS:
        kind, bits = _FLOATS[dtype.name]
        return integers.astype(bits).view(kind).astype(np.float32)
    width = dtype.bitwidth()
    if width > 53 and dtype.is_integer():
        return integers
    values: Array = integers.astype(np.float32 if width <= 24 else np.float64)
    return np.ldexp(values, -dtype.frac_bits()) if dtype.is_fixed_point() else values


def _without_padding(words: PackedWords, bits: int) -> PackedWords:
    """Little-endian words cut to the bytes that their elements need; what pads them has no meaning."""
    size = (bits + 7) // 8
    if words.shape[1] < size:
        raise ModelError(f"words of {words.shape[1]} bytes do not hold {bits} bits")
    return np.ascontiguousarray(words[:, :size])


def _parsed(word: str) -> int:
    try:
        return int(word, 16)
    except ValueError:
        raise ModelError(f"{word!r} is no word in hex") from None


def _from_numbers(words: list[int], dtype: AnyDataType, shape: Sequence[int], bits: int, reverse_inner: bool) -> Array:
    size = (bits + 7) // 8
    too_wide = next((word for word in words if word < 0 or word >> bits), None)
    if too_wide is not None:
        raise ModelError(f"the word {too_wide:#x} has more than {bits} bits")
    packed = np.frombuffer(b"".join(word.to_bytes(size, "little") for word in words), dtype=np.uint8)
    return packed_bytearray_to_finnpy(
        packed.reshape(len(words), size), dtype, shape, reverse_inner, reverse_endian=True
    )
