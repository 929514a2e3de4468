"""Requant and Lookup: what is legal, the references, the memory images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from finnmake.dataflow.lookup import Lookup
from finnmake.dataflow.requant import Requant
from finnmake.errors import FinnmakeError

ONES = {"multipliers": np.array([1]), "biases": np.array([0])}


@pytest.mark.parametrize(
    ("rounding", "expected"),
    [("FLOOR", [-2, -1, -1, 0, 0, 1, 1]), ("HALF_UP", [-1, -1, 0, 0, 1, 1, 2]), ("HALF_EVEN", [-2, -1, 0, 0, 0, 1, 2])],
)
def test_halves_are_rounded_as_the_mode_says(rounding: str, expected: list[int]) -> None:
    layer = Requant(7, 1, "INT8", "INT2", "INT2", "INT4", 1, rounding, parameters=ONES)
    assert layer.execute(np.arange(-3, 4)[None]).tolist() == [expected]


def test_results_are_those_of_exact_division_and_numpy_s_rounding() -> None:
    generator = np.random.default_rng(0)
    parameters = {"multipliers": generator.integers(-128, 127, 5), "biases": generator.integers(-5000, 5000, 5)}
    layer = Requant(5, 5, "INT8", "INT8", "INT14", "UINT6", 7, numInputVectors=40, parameters=parameters)
    values = generator.integers(-128, 127, (40, 5))
    exact = (values * parameters["multipliers"] + parameters["biases"]) / 128
    np.testing.assert_array_equal(layer.execute(values.reshape(1, -1)).reshape(40, 5), np.clip(np.rint(exact), 0, 63))


def test_an_index_behind_the_table_is_its_last_row() -> None:
    layer = Lookup(3, 4, 2, "UINT2", "INT4", 2, parameters={"embeddings": np.arange(12).reshape(3, 4) - 6})
    assert layer.execute(np.array([[0, 1], [2, 3]])).tolist() == [[-6, -5, -4, -3, -2, -1, 0, 1], [2, 3, 4, 5] * 2]
    assert layer.memory_images()["embeddings"].words.tolist()[:3] == [[-6, -5], [-4, -3], [-2, -1]]


@pytest.mark.parametrize(
    ("arguments", "parameters", "text"),
    [
        ((4, 3, "INT8", "INT4", "INT8", "INT4", 2), {}, "Legal values of PE: 1, 2, 4"),
        ((4, 2, "INT8", "UINT4", "INT8", "INT4", 2), {}, "Use a signed type"),
        ((4, 2, "INT8", "INT4", "INT8", "BIPOLAR", 2), {}, "Use a thresholding"),
        ((4, 2, "INT8", "INT4", "INT8", "INT4", -1), {}, "No negative shift"),
        ((4, 2, "INT31", "INT31", "INT48", "INT4", 61), {}, "sums of 63 bits"),
        ((4, 2, "INT8", "INT4", "INT8", "INT4", 2, "NEAREST"), {}, "FLOOR, HALF_UP, HALF_EVEN"),
        ((4, 2, "INT8", "INT4", "INT8", "INT4", 2, "FLOOR", 0), {}, "numInputVectors is 0"),
        ((4, 2, "INT8", "INT4", "INT8", "INT4", 2, "FLOOR", 1, "ultra"), {}, "Legal values: auto, distributed, block"),
        ((4, 2, "INT8", "INT4", "INT8", "INT4", 2), {"multipliers": np.array([8])}, "multipliers of shape (1,), 8 … 8"),
        ((4, 2, "INT8", "INT4", "INT8", "INT4", 2), {"biases": np.array([1, 2])}, "biases of shape (2,)"),
    ],
)
def test_a_requant_that_is_not_legal_is_said(arguments: Any, parameters: Any, text: str) -> None:
    with pytest.raises(FinnmakeError) as problem:
        Requant(*arguments, parameters=parameters)
    assert text in str(problem.value)


@pytest.mark.parametrize(
    ("arguments", "parameters", "text"),
    [
        ((3, 4, 3, "UINT2", "INT4"), {}, "Legal values of PE: 1, 2, 4"),
        ((0, 4, 2, "UINT2", "INT4"), {}, "Both are 1 or more"),
        ((3, 4, 2, "INT2", "INT4"), {}, "Indices are unsigned"),
        ((3, 4, 2, "UINT2", "INT4", 1, "ultra"), {}, "Legal values: auto, distributed, block"),
        ((3, 4, 2, "UINT2", "INT4"), {"embeddings": np.zeros((4, 3), dtype=np.int64)}, "embeddings of shape (4, 3)"),
        ((3, 4, 2, "UINT2", "INT4"), {"embeddings": np.full((3, 4), 9)}, "9 … 9"),
    ],
)
def test_a_lookup_that_is_not_legal_is_said(arguments: Any, parameters: Any, text: str) -> None:
    with pytest.raises(FinnmakeError) as problem:
        Lookup(*arguments, parameters=parameters)
    assert text in str(problem.value)
