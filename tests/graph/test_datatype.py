"""Datatypes: names, ranges, membership, the smallest for a range."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
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
def test_smallest_for_a_range_holds_it_and_is_smallest(low: int, span: int) -> None:
    datatype = DataType.smallest_for_range(low, low + span)
    assert datatype.min() <= low
    assert datatype.max() >= low + span
    if datatype.bitwidth() > 2:
        smaller = DataType[f"{'INT' if datatype.signed() else 'UINT'}{datatype.bitwidth() - 1}"]
        assert smaller.min() > low or smaller.max() < low + span


def test_empty_range() -> None:
    with pytest.raises(ModelError, match="empty range"):
        DataType.smallest_for_range(1, 0)


@given(st.sampled_from(["UINT1", "UINT7", "UINT8", "INT9", "UINT17", "INT33", "BIPOLAR", "TERNARY"]))
def test_numpy_type_holds_all_values(name: str) -> None:
    datatype = DataType[name]
    container = np.iinfo(np.dtype(datatype.to_numpy_dt()).name)
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
