"""Thresholds of floats, and of quantisers that follow each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finnmake.graph.datatype import DataType
from finnmake.graph.quantiser import Quantiser
from finnmake.transformation.streamline.threshold_extraction import Thresholds, float_thresholds, follow


def uniform(scale: float, levels: int) -> Quantiser:
    """Levels of width ``scale`` from 0 on."""
    step = np.float32(scale)
    return Quantiser(
        DataType["UINT8"],
        0,
        levels,
        1,
        np.asarray(float(step)),
        np.zeros(()),
        lambda x: np.clip(np.round(x / step), 0, levels).astype(np.int64),
        False,
        lambda: np.zeros(levels),
    )


@settings(max_examples=50, deadline=None)
@given(scale=st.floats(1e-30, 1e30), levels=st.integers(1, 40))
def test_float_threshold_is_the_smallest_float_on_its_level(scale: float, levels: int) -> None:
    quantiser = uniform(scale, levels)
    thresholds = float_thresholds(quantiser, 7)
    assert thresholds.shape == (1, levels)
    assert thresholds.dtype == np.float32
    here = quantiser.levels(thresholds[0])
    before = quantiser.levels(np.nextafter(thresholds[0], np.float32(-np.inf)))
    assert (here >= np.arange(1, levels + 1)).all()
    assert (before < np.arange(1, levels + 1)).all()


def test_level_that_no_float_reaches_has_infinity() -> None:
    never = Quantiser(
        DataType["BINARY"],
        0,
        1,
        1,
        np.ones(()),
        np.zeros(()),
        lambda x: (x > np.inf).astype(np.int64),
        False,
        list,  # type: ignore[arg-type]
    )
    assert float_thresholds(never, 1).tolist() == [[np.inf]]


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10**6), step=st.sampled_from([1, 2]))
def test_two_quantisers_in_a_row(seed: int, step: int) -> None:
    random = np.random.default_rng(seed)
    low, high, minimum = -30, 40, int(random.integers(-4, 2))

    def thresholds(rows: int, count: int, first: int, last: int) -> Thresholds:
        values = np.sort(random.integers(first, last + 2, (rows, count)), axis=1)
        return Thresholds(values, np.zeros(rows, dtype=bool), values % 3 == 0)

    first = thresholds(int(random.choice([1, 3])), int(random.integers(1, 5)), low, high)
    top = minimum + step * first.values.shape[1]
    second = thresholds(int(random.choice([1, 3])), int(random.integers(1, 5)), minimum - 1, top)
    both = follow(first, second, low, high, minimum, step)
    x = np.arange(low, high + 1)
    middle = minimum + step * (x[None, :, None] >= first.values[:, None, :]).sum(axis=2)
    expected = (middle[..., None] >= second.values[:, None, :]).sum(axis=2)
    assert np.array_equal((x[None, :, None] >= both.values[:, None, :]).sum(axis=2), expected)
    assert both.tied.shape == both.values.shape


@pytest.mark.parametrize("needed", [1, 2])
def test_tie_of_the_first_quantiser_is_a_tie_of_both(needed: int) -> None:
    first = Thresholds(np.array([[3, 8]]), np.zeros(1, dtype=bool), np.array([[False, True]]))
    second = Thresholds(np.array([[needed]]), np.zeros(1, dtype=bool), np.array([[False]]))
    assert follow(first, second, 0, 10, 0, 1).tied.tolist() == [[needed == 2]]
