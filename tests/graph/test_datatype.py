"""Datatypes: names, ranges, membership, the smallest for a range."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from finnmake.errors import ModelError
from finnmake.graph.datatype import DataType


@pytest.mark.parametrize(
    ("name", "bits", "low", "high", "count"),
    [
        ("BINARY", 1, 0, 1, 2),
        ("BIPOLAR", 1, -1, 1, 2),
        ("TERNARY", 2, -1, 1, 3),
        ("UINT8", 8, 0, 255, 256),
        ("INT2", 2, -2, 1, 4),
        ("INT64", 64, -(2**63), 2**63 - 1, 2**64),
        ("FIXED<8,3>", 8, -4.0, 3.96875, 256),
    ],
)
def test_range(name: str, bits: int, low: float, high: float, count: int) -> None:
    datatype = DataType[name]
    assert (datatype.bitwidth(), datatype.min(), datatype.max()) == (bits, low, high)
    assert datatype.get_num_possible_values() == count
    assert datatype.get_canonical_name() == str(datatype) == name
    assert datatype.signed() == (low < 0)


@pytest.mark.parametrize(
    "name", ["", "INT", "INT0", "INT1", "INT65", "UINT0", "UINT65", "FIXED<1,1>", "int4", "FLOAT64"]
)
def test_unknown_names(name: str) -> None:
    with pytest.raises(ModelError, match="no datatype"):
        DataType[name]


@pytest.mark.parametrize(
    ("name", "allowed", "refused"),
    [
        ("BIPOLAR", [-1, 1], [0, 2]),
        ("TERNARY", [-1, 0, 1], [2, -2]),
        ("UINT2", [0, 3], [-1, 4, 0.5]),
        ("FIXED<8,3>", [0.03125, -4.0], [0.02, 4.0]),
        ("FLOAT32", [0.1, -1e30], [1e39]),
    ],
)
def test_membership(name: str, allowed: list[float], refused: list[float]) -> None:
    assert all(DataType[name].allowed(value) for value in allowed)
    assert not any(DataType[name].allowed(value) for value in refused)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_integer_type_holds_what_is_not_a_number(value: float) -> None:
    assert not DataType["INT8"].allowed(value)


def test_not_a_number_is_no_float_value_either() -> None:
    assert not DataType["FLOAT32"].allowed(float("nan"))


@given(st.integers(-(2**40), 2**40), st.integers(0, 2**40))
@example(-2, 0)
def test_smallest_for_a_range_holds_it_and_is_smallest(low: int, span: int) -> None:
    datatype = DataType.smallest_for_range(low, low + span)
    assert datatype.min() <= low
    assert datatype.max() >= low + span
    if datatype.bitwidth() > 2:
        smaller = DataType[f"{'INT' if datatype.signed() else 'UINT'}{datatype.bitwidth() - 1}"]
        assert smaller.min() > low or smaller.max() < low + span


def test_a_range_of_negative_numbers_only() -> None:
    assert DataType.smallest_for_range(-2, -2).name == "INT2"
    assert DataType.smallest_for_range(-9, -4).name == "INT5"


def test_empty_range() -> None:
    with pytest.raises(ModelError, match="empty range"):
        DataType.smallest_for_range(1, 0)


@given(st.sampled_from(["UINT1", "UINT7", "UINT8", "INT9", "UINT17", "INT33", "BIPOLAR", "TERNARY"]))
def test_numpy_type_holds_all_values(name: str) -> None:
    datatype = DataType[name]
    container = np.iinfo(datatype.to_numpy_dt().name)
    assert container.min <= datatype.min()
    assert container.max >= datatype.max()


@pytest.mark.parametrize(
    ("dtype", "name"), [("uint8", "UINT8"), ("int32", "INT32"), ("bool", "BINARY"), ("f4", "FLOAT32")]
)
def test_from_numpy(dtype: str, name: str) -> None:
    assert DataType.from_numpy(np.dtype(dtype)).name == name


def test_from_numpy_of_something_else() -> None:
    with pytest.raises(ModelError, match="no datatype for NumPy"):
        DataType.from_numpy(np.dtype("U4"))


# What qonnx 1.0.0 answers: name, bits, min, max, signed, integer, C++ type, NumPy type.
QONNX = [
    ("BINARY", 1, 0, 1, False, True, "ap_uint<1>", "uint8"),
    ("UINT1", 1, 0, 1, False, True, "ap_uint<1>", "uint8"),
    ("BIPOLAR", 1, -1, 1, True, True, "ap_int<1>", "int8"),
    ("TERNARY", 2, -1, 1, True, True, "ap_int<2>", "int8"),
    ("INT3", 3, -4, 3, True, True, "ap_int<3>", "int8"),
    ("UINT7", 7, 0, 127, False, True, "ap_uint<7>", "uint8"),
    ("INT9", 9, -256, 255, True, True, "ap_int<9>", "int16"),
    ("INT17", 17, -65536, 65535, True, True, "ap_int<17>", "int32"),
    ("UINT33", 33, 0, 8589934591, False, True, "ap_uint<33>", "uint64"),
    ("UINT64", 64, 0, 18446744073709551615, False, True, "ap_uint<64>", "uint64"),
    ("FIXED<16,-2>", 16, -0.125, 0.12499618530273438, True, False, "ap_fixed<16, -2>", "float32"),
    ("FIXED< 4, 2 >", 4, -2.0, 1.75, True, False, "ap_fixed<4, 2>", "float32"),
    ("FLOAT32", 32, -3.4028234663852886e38, 3.4028234663852886e38, True, False, "float", "float32"),
    ("FLOAT16", 16, -65504.0, 65504.0, True, False, "half", "float16"),
]


@pytest.mark.parametrize(("name", "bits", "low", "high", "signed", "integer", "hls", "container"), QONNX)
def test_as_qonnx(
    name: str, bits: int, low: float, high: float, signed: bool, integer: bool, hls: str, container: str
) -> None:
    datatype = DataType[name]
    assert (datatype.bitwidth(), datatype.min(), datatype.max()) == (bits, low, high)
    assert (datatype.signed(), datatype.is_integer()) == (signed, integer)
    assert datatype.is_fixed_point() == name.startswith("FIXED")
    assert datatype.get_hls_datatype_str() == hls
    assert datatype.to_numpy_dt() == np.dtype(container)
    assert isinstance(datatype.max(), int) == integer


@pytest.mark.parametrize(
    ("value", "name"),
    [
        *((0, "BINARY"), (1, "BINARY"), (2, "UINT2"), (4, "UINT3"), (-1, "BIPOLAR"), (-2, "INT2"), (-3, "INT3")),
        *((255, "UINT8"), (256, "UINT9"), (-128, "INT8"), (-129, "INT9"), (2**63 - 1, "UINT63"), (-(2**63), "INT64")),
        *((0.5, "FLOAT32"), (2.0, "UINT2"), (-1.0, "BIPOLAR")),
    ],
)
def test_smallest_for_one_value_as_qonnx(value: float, name: str) -> None:
    assert DataType.get_smallest_possible(value).name == name


def test_canonical_names_and_equality_with_names() -> None:
    assert DataType["UINT1"] is DataType["BINARY"]
    assert DataType["FIXED< 8, 3 >"].name == "FIXED<8,3>"
    assert DataType["INT4"] == "INT4"
    assert DataType["INT4"] != DataType["UINT4"]
    assert len({DataType["INT4"], DataType["INT4"], DataType["INT5"]}) == 2
    assert all(DataType[name].name == name for name in DataType.get_accumulator_dt_cands())
    with pytest.raises(ModelError, match="looked up by its name"):
        DataType[4]  # type: ignore[index]


def test_binary_point() -> None:
    fixed = DataType["FIXED<8,3>"]
    assert (fixed.int_bits(), fixed.frac_bits(), fixed.scale_factor()) == (3, 5, 1 / 32)
    with pytest.raises(ModelError, match="INT4 has no binary point"):
        DataType["INT4"].int_bits()


def test_integers_of_64_bits_are_exact() -> None:
    """As floats, 2^63 - 1 and 2^63 are the same number."""
    signed, unsigned = DataType["INT64"], DataType["UINT64"]
    assert signed.allowed_array(np.array([-(2**63), 2**63 - 1]))
    assert not signed.allowed_array(np.array([2**63], dtype=np.uint64))
    assert not signed.allowed_array(np.array([2.0**63]))
    assert signed.allowed_array(np.array([-(2.0**63)], dtype=np.float32))
    assert unsigned.allowed_array(np.array([2**64 - 1], dtype=np.uint64))
    assert not unsigned.allowed(2**64)
    assert not DataType["UINT63"].allowed(2**63)
    assert not signed.allowed(10**400)
    with pytest.raises(ModelError, match="takes 65 bits"):
        DataType.smallest_for_range(-1, 2**63)
    with pytest.raises(ModelError, match="takes 65 bits"):
        DataType.smallest_for_range(0, 2**64)


def test_membership_of_an_array_is_an_array() -> None:
    mask = DataType["INT2"].allowed(np.array([-3, -2, 0.5, 1, np.nan, np.inf]))
    assert mask.tolist() == [False, True, False, True, False, False]
    assert DataType["BIPOLAR"].allowed(np.array([0, 1, -1, 2], dtype=np.int8)).tolist() == [False, True, True, False]
    assert DataType["INT40"].allowed(np.array([1.5, 2], dtype=np.float16)).tolist() == [False, True]
    assert DataType["SCALEDINT<8>"].allowed(0.37)


@pytest.mark.parametrize("name", ["FLOAT32", "SCALEDINT<8>"])
def test_what_has_no_number_of_values(name: str) -> None:
    with pytest.raises(ModelError, match="no number of values"):
        DataType[name].get_num_possible_values()


@given(st.integers(1, 64), st.booleans(), st.integers(-(2**70), 2**70))
def test_membership_is_the_range(bits: int, signed: bool, value: int) -> None:
    datatype = DataType[f"INT{max(2, bits)}" if signed else f"UINT{bits}"]
    assert datatype.allowed(value) == (datatype.min() <= value <= datatype.max())
