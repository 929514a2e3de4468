"""Packing under FINN's names; the vectors are what FINN gives for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finnmake.dataflow.data_packing import (
    array2hexstring,
    finnpy_to_packed_bytearray,
    hexstring2npbytearray,
    npbytearray2hexstring,
    npy_to_rtlsim_input,
    pack_innermost_dim_as_hex_string,
    packed_bytearray_to_finnpy,
    rtlsim_output_to_npy,
    unpack_innermost_dim_from_hex_string,
)
from finnmake.dataflow.packing import npy_to_packed
from finnmake.errors import ModelError
from finnmake.graph.datatype import DataType
from finnmake.runtime.execute import Array


@pytest.mark.parametrize(
    ("values", "datatype", "bits", "reverse", "expected"),
    [
        ([1, 1, 1, 0], "BINARY", 4, False, "0xe"),
        ([1, 1, 1, 0], "BINARY", 8, False, "0x0e"),
        ([1, 1, 1, -1], "BIPOLAR", 8, False, "0x0e"),
        ([3, 3, 3, 3], "UINT2", 8, False, "0xff"),
        ([1, 3, 3, 1], "UINT2", 8, False, "0x7d"),
        ([1, -1, 1, -1], "INT2", 8, False, "0x77"),
        ([1, 1, 1, -1], "INT4", 16, False, "0x111f"),
        ([-1], "FLOAT32", 32, False, "0xbf800000"),
        ([17.125], "FLOAT32", 32, False, "0x41890000"),
        ([1, 1, 0, 1], "BINARY", 4, True, "0xb"),
        ([1, 1, 1, 0], "BINARY", 8, True, "0x07"),
        ([1, 0], "BINARY", 2, False, "0x2"),
        ([-1.5, 0.25], "FIXED<4,2>", 8, False, "0xa1"),
        ([-1, 2], "INT64", 128, False, "0xffffffffffffffff0000000000000002"),
    ],
)
def test_hex(values: list[float], datatype: str, bits: int, reverse: bool, expected: str) -> None:
    assert array2hexstring(values, DataType[datatype], bits, reverse=reverse) == expected
    shape = (len(values),)
    back = unpack_innermost_dim_from_hex_string([expected], DataType[datatype], shape, max(4, bits), reverse)
    np.testing.assert_array_equal(back, values)


@pytest.mark.parametrize(
    ("values", "datatype", "reverse_inner", "reverse_endian", "expected"),
    [
        ([[1, 1, 1, 0], [0, 1, 1, 0]], "BINARY", False, False, [[14], [6]]),
        ([[[3, 3], [3, 3]], [[1, 3], [3, 1]]], "UINT2", False, False, [[[15], [15]], [[7], [13]]]),
        ([1, 7, 2, 5], "UINT4", False, False, [23, 37]),
        ([1, 7, 2, 5], "UINT4", True, True, [0x71, 0x52]),
        ([1, 7, 2, 5], "UINT4", True, False, [0x52, 0x71]),
        ([1, 7, 2, 5], "UINT4", False, True, [37, 23]),
        ([[-4, 0]], "INT32", False, False, [[255, 255, 255, 252, 0, 0, 0, 0]]),
        ([[-4, 0]], "INT32", True, True, [[252, 255, 255, 255, 0, 0, 0, 0]]),
        ([1, 2, 3], "UINT3", False, False, [0b0, 0b01010011]),
    ],
)
def test_bytes(values: list[Any], datatype: str, reverse_inner: bool, reverse_endian: bool, expected: Any) -> None:
    kind = DataType[datatype]
    packed = finnpy_to_packed_bytearray(values, kind, reverse_inner, reverse_endian)
    assert packed.dtype == np.uint8
    np.testing.assert_array_equal(packed, np.array(expected, dtype=np.uint8))
    back = packed_bytearray_to_finnpy(packed, kind, np.shape(values), reverse_inner, reverse_endian)
    assert back.dtype == (np.float32 if datatype != "INT32" else np.float64)
    np.testing.assert_array_equal(back, values)


def test_normal_folded_packed() -> None:
    normal = 2 * np.random.default_rng(0).integers(0, 2, (1, 784)) - 1
    folded = normal.reshape(1, 49, 16)
    packed = finnpy_to_packed_bytearray(folded, DataType["BIPOLAR"], reverse_inner=True, reverse_endian=True)
    assert packed.shape == (1, 49, 2)
    np.testing.assert_array_equal(packed[0], npy_to_packed(normal, DataType["BIPOLAR"], 16))
    back = packed_bytearray_to_finnpy(packed, DataType["BIPOLAR"], (1, 49, 16), True, True)
    np.testing.assert_array_equal(back.reshape(1, 784), normal)


WIDE = st.one_of(
    st.sampled_from(["BINARY", "BIPOLAR", "TERNARY", "FLOAT32", "FLOAT16", "INT64", "UINT64"]),
    st.integers(1, 64).map(lambda bits: f"UINT{bits}"),
    st.integers(2, 64).map(lambda bits: f"INT{bits}"),
    st.tuples(st.integers(2, 32), st.integers(-3, 32))
    .filter(lambda t: t[1] <= t[0])
    .map(lambda t: f"FIXED<{t[0]},{t[1]}>"),
)


@st.composite
def arrays(draw: st.DrawFn) -> tuple[str, Array]:
    name = draw(WIDE)
    kind = DataType[name]
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    size = int(np.prod(shape))
    if name.startswith("FLOAT"):
        values: Array = np.array(draw(st.lists(st.floats(width=16, allow_nan=False), min_size=size, max_size=size)))
        return name, values.astype(np.float32).reshape(shape)
    low, high = kind.min(), kind.max()
    if kind.is_fixed_point():
        low, high = round(low / kind.scale_factor()), round(high / kind.scale_factor())
    number = st.sampled_from([-1, 1]) if name == "BIPOLAR" else st.integers(int(low), int(high))
    integers = draw(st.lists(number, min_size=size, max_size=size))
    values = np.array(integers, dtype=np.int64 if low < 0 else np.uint64).reshape(shape)
    return name, values * kind.scale_factor() if kind.is_fixed_point() else values


@settings(deadline=None, max_examples=150)
@given(arrays(), st.booleans(), st.booleans(), st.integers(0, 9))
def test_round_trip(case: tuple[str, Array], reverse_inner: bool, reverse_endian: bool, padding: int) -> None:
    name, values = case
    kind = DataType[name]
    packed = finnpy_to_packed_bytearray(values, kind, reverse_inner, reverse_endian)
    bits = values.shape[-1] * kind.bitwidth()
    assert packed.shape == (*values.shape[:-1], (bits + 7) // 8)
    back = packed_bytearray_to_finnpy(packed, kind, values.shape, reverse_inner, reverse_endian)
    np.testing.assert_array_equal(back, values)

    width = max(4, bits) + padding
    words = pack_innermost_dim_as_hex_string(values, kind, width, reverse_inner)
    assert words.shape == values.shape[:-1]
    assert {len(word) for word in words.ravel().tolist()} == {2 + (width + 3) // 4}
    whole = unpack_innermost_dim_from_hex_string(words, kind, values.shape, width, reverse_inner)
    np.testing.assert_array_equal(whole, values)

    numbers = npy_to_rtlsim_input(values, kind, width, reverse_inner)
    np.testing.assert_array_equal(
        rtlsim_output_to_npy(numbers, None, kind, values.shape, width, kind.bitwidth(), reverse_inner), values
    )


def test_files_of_arrays(tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", np.array([[1, 2], [3, 0]], dtype=np.float32))
    words = npy_to_rtlsim_input(tmp_path / "in.npy", DataType["UINT2"], 4)
    assert words == [0b1001, 0b0011]
    rtlsim_output_to_npy(words, tmp_path / "out.npy", DataType["UINT2"], (2, 2), 4, 2)
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), [[1, 2], [3, 0]])


def test_bytes_and_hex() -> None:
    assert hexstring2npbytearray("0x0f01").tolist() == [15, 1]
    assert npbytearray2hexstring(np.array([15, 1], dtype=np.uint8)) == "0x0f01"


def test_what_does_not_fit_is_refused() -> None:
    kind = DataType["UINT2"]
    for call in (
        lambda: finnpy_to_packed_bytearray([4], kind),
        lambda: finnpy_to_packed_bytearray([0.5], kind),
        lambda: finnpy_to_packed_bytearray(1, kind),
        lambda: finnpy_to_packed_bytearray([1], DataType["SCALEDINT<8>"]),
        lambda: array2hexstring([1, 1, 1], kind, 4),
        lambda: array2hexstring([[1]], kind, 4),
        lambda: packed_bytearray_to_finnpy(np.zeros((1, 1), dtype=np.int8), kind),
        lambda: packed_bytearray_to_finnpy(np.zeros((1, 1), dtype=np.uint8), kind, (1, 5)),
        lambda: packed_bytearray_to_finnpy(np.zeros((2, 1), dtype=np.uint8), kind, (3, 4)),
        lambda: unpack_innermost_dim_from_hex_string(["0x1f"], kind, (2,), 4),
        lambda: unpack_innermost_dim_from_hex_string(["xyz"], kind, (2,), 4),
        lambda: rtlsim_output_to_npy([1], None, kind, (1, 2), 4, 3),
        lambda: hexstring2npbytearray("0x123"),
    ):
        with pytest.raises(ModelError):
            call()
