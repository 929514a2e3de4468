"""Long sequences as loops in loops."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finnmake.dataflow.repetition import read_sequence, write_sequence
from finnmake.errors import ModelError

NUMBERS = st.lists(st.integers(-5, 5), max_size=12)


@given(st.lists(st.tuples(NUMBERS, st.integers(1, 9)), max_size=5), st.integers(1, 4))
def test_what_is_written_is_read(parts: list[tuple[list[int], int]], times: int) -> None:
    values = np.array([number for block, count in parts for number in block * count] * times, dtype=np.int64)
    tree = json.loads(json.dumps(write_sequence(values)))
    assert read_sequence(tree, len(values)).tolist() == values.tolist()


@given(st.integers(-9, 9), st.integers(-3, 3), st.integers(1, 9))
def test_what_grows_evenly_is_read(first: int, step: int, length: int) -> None:
    values = first + step * np.arange(length)
    for tree in (
        [first, [length - 1, step]],
        [first, *[step] * (length - 1)],
        json.loads(json.dumps(write_sequence(values))),
    ):
        if length > 1:
            assert read_sequence(tree, length).tolist() == values.tolist()


def test_the_order_in_which_a_convolution_reads_is_a_short_text() -> None:
    rows, columns, taps = np.arange(56)[:, None, None, None], np.arange(56)[:, None, None], np.arange(3)
    words = (58 * rows + columns + 58 * taps[:, None] + taps).ravel()
    assert len(words) == 28224
    assert len(json.dumps(write_sequence(words))) < 200


@pytest.mark.parametrize(
    "tree", [None, [[0, 1]], [[2]], ["a"], [[1 << 40, 1]], [[3, [1 << 30, 1]]], [1, 1], [[1.5, 1]], [[]]], ids=repr
)
def test_damaged_sequences_are_refused(tree: object) -> None:
    with pytest.raises(ModelError):
        read_sequence(tree, 3)
