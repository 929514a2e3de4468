"""The least sum of costs, against all combinations."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finnmake.dataflow.min_sum import Problem, minimise


@st.composite
def problems(draw: st.DrawFn, choices: int = 6) -> Problem:
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=choices))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def costs(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        values = generator.integers(0, 20, shape).astype(np.float64)
        return np.where(generator.random(shape) < 0.1, np.inf, values)

    possible = [(a, b) for a in range(len(sizes)) for b in range(a + 1, len(sizes))]
    pairs = draw(st.lists(st.sampled_from(possible), unique=True)) if possible else []
    return Problem([costs(size) for size in sizes], {(a, b): costs(sizes[a], sizes[b]) for a, b in pairs})


@given(problems())
def test_no_combination_costs_less(problem: Problem) -> None:
    found = minimise(problem)
    best = min(problem.cost(options) for options in product(*(range(len(costs)) for costs in problem.single)))
    assert found.exact
    assert found.cost == best == problem.cost(found.options)


@given(problems(), st.integers(1, 16))
def test_small_tables_give_a_combination_that_no_single_change_improves(problem: Problem, most: int) -> None:
    found = minimise(problem, most)
    assert found.cost == problem.cost(found.options) >= minimise(problem).cost
    if found.exact:
        assert found.cost == minimise(problem).cost
    else:
        for choice, costs in enumerate(problem.single):
            changed = [[*found.options[:choice], option, *found.options[choice + 1 :]] for option in range(len(costs))]
            assert min(problem.cost(options) for options in changed) >= found.cost


def test_a_long_chain_with_short_cuts() -> None:
    count, size = 400, 8
    generator = np.random.default_rng(0)
    single = [generator.random(size) for _ in range(count)]
    pairs = {(i, i + 1): generator.random((size, size)) for i in range(count - 1)}
    pairs |= {(i, i + 5): generator.random((size, size)) for i in range(0, count - 5, 5)}
    found = minimise(Problem(single, pairs))
    assert found.exact
    # Two sweeps of changing one choice at a time do not come below it.
    assert found.cost < Problem(single, pairs).cost([int(costs.argmin()) for costs in single])


def test_what_is_not_possible_costs_infinitely_much() -> None:
    never = Problem([np.zeros(2), np.zeros(2)], {(0, 1): np.full((2, 2), np.inf)})
    assert minimise(never).cost == np.inf
    assert minimise(Problem([], {})).cost == pytest.approx(0)
