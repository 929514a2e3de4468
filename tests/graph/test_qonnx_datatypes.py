"""Datatypes against the qonnx package: every name, every method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from finnmake.errors import ModelError
from finnmake.graph.datatype import AnyDataType, DataType
from tests.support.qonnx_peer import QonnxPeer

INTEGERS = [*(f"UINT{bits}" for bits in range(1, 65)), *(f"INT{bits}" for bits in range(2, 65))]
FIXED = [f"FIXED<{bits},{whole}>" for bits in (2, 4, 8, 16, 32) for whole in (-2, 0, 1, bits - 1)]
NAMES = ["BINARY", "BIPOLAR", "TERNARY", "FLOAT32", "FLOAT16", *INTEGERS, *FIXED, "SCALEDINT<2>", "SCALEDINT<8>"]
VALUES = [
    *(float(n) for n in range(-9, 10)),
    0.5,
    -0.25,
    0.03125,
    1e-9,
    127.0,
    -128.0,
    255.0,
    256.0,
    2.0**31,
    -(2.0**40),
]


@pytest.fixture(scope="module")
def told(qonnx: QonnxPeer) -> dict[str, dict[str, Any]]:
    """What qonnx says, by name and method."""
    return qonnx.datatypes(NAMES, VALUES)


def ask(datatype: AnyDataType, method: str) -> Any:
    """What our datatype says; None for what it refuses to say."""
    function: Callable[[], Any] = getattr(datatype, method)
    try:
        return function()
    except ModelError:
        return None


@pytest.mark.parametrize(
    "method",
    [
        "get_canonical_name",
        "bitwidth",
        "min",
        "max",
        "signed",
        "is_integer",
        "is_fixed_point",
        "get_num_possible_values",
    ],
)
def test_what_a_datatype_says(told: dict[str, dict[str, Any]], method: str) -> None:
    expected = {name: told[name][method] for name in NAMES if told[name][method] is not None}
    if method == "get_num_possible_values":
        expected = {name: count for name, count in expected.items() if not name.startswith("FIXED")}
    assert {name: ask(DataType[name], method) for name in expected} == expected


def test_which_values_a_datatype_allows(told: dict[str, dict[str, Any]]) -> None:
    expected = {name: told[name]["allowed"] for name in NAMES if told[name]["allowed"][0] is not None}
    del expected["FLOAT16"]  # qonnx 1.0.0 allows it everything
    assert {name: [DataType[name].allowed(value) for value in VALUES] for name in expected} == expected


def test_qonnx_counts_the_range_of_fixed_point_types_not_their_values(told: dict[str, dict[str, Any]]) -> None:
    assert told["FIXED<8,1>"]["get_num_possible_values"] == 2
    assert DataType["FIXED<8,1>"].get_num_possible_values() == 256
