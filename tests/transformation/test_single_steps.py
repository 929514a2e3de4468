"""Every streamlining step alone, on random graphs: the same function, right annotations, shared things unchanged."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from finnmake.graph.model_files import serialised
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.graph.naming import name_by_position
from finnmake.transformation import absorb, reorder, streamline
from finnmake.transformation.base import Transformation
from tests.support.affine_graphs import RandomGraph, assert_annotations_hold, assert_same, run

BIT_FOR_BIT: list[type[Transformation]] = [
    absorb.AbsorbAddIntoMultiThreshold,
    absorb.AbsorbMulIntoMultiThreshold,
    absorb.Absorb1BitMulIntoConv,
    absorb.Absorb1BitMulIntoMatMul,
    absorb.FactorOutMulSignMagnitude,
    reorder.MoveAddPastFork,
    reorder.MoveFlattenPastAffine,
    reorder.MoveLinearPastFork,
    reorder.MoveMulPastFork,
    reorder.MoveMulPastMaxPool,
    reorder.MoveScalarLinearPastInvariants,
    streamline.ConvertSubToAdd,
]
"""The same bits whatever the constants."""

TO_ROUNDING: list[type[Transformation]] = [
    absorb.AbsorbSignBiasIntoMultiThreshold,
    reorder.MoveAddPastConv,
    reorder.MoveAddPastJoinAdd,
    reorder.MoveAddPastMul,
    reorder.MoveLinearPastEltwiseAdd,
    reorder.MoveMulPastDWConv,
    reorder.MoveMulPastJoinAdd,
    reorder.MoveScalarAddPastMatMul,
    reorder.MoveScalarMulPastConv,
    reorder.MoveScalarMulPastMatMul,
    streamline.CollapseRepeatedAdd,
    streamline.CollapseRepeatedMul,
    streamline.ConvertDivToMul,
]
"""The same bits where sums and products are exact."""


SEEDS = 50
"""Random graphs; Hypothesis finds the smallest seed only, which is no smaller graph."""


def changed(before: ModelWrapper, kind: type[Transformation]) -> ModelWrapper | None:
    """The transformed model; None where nothing is to do."""
    after = kind().apply(before)  # without the tidying of ModelWrapper.transform
    named = before.copy()
    name_by_position(named)
    return after if serialised(after.model) != serialised(named.model) else None


@settings(max_examples=SEEDS, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_exact_graphs_give_the_same_bits(seed: int) -> None:
    graph = RandomGraph(seed, exact=True, thresholds=True)
    before, values = graph.model(), graph.values()
    bytes_before, expected = serialised(before.model.clone()), run(before, values)
    for kind in BIT_FOR_BIT + TO_ROUNDING:
        after = changed(before, kind)
        assert serialised(before.model.clone()) == bytes_before
        if after is not None:
            note(kind.__name__)
            assert_same(expected, after, values)
            assert_annotations_hold(after, values)
            assert changed(after, kind) is None  # a fixed point


@settings(max_examples=SEEDS, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_any_graph_gives_the_same_bits(seed: int) -> None:
    graph = RandomGraph(seed, exact=False, thresholds=True)
    before, values = graph.model(), graph.values(50)
    expected = run(before, values)
    for kind in BIT_FOR_BIT:
        after = changed(before, kind)
        if after is not None:
            note(kind.__name__)
            assert_same(expected, after, values)


@settings(max_examples=SEEDS, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_any_graph_gives_the_same_to_rounding(seed: int) -> None:
    graph = RandomGraph(seed, exact=False, thresholds=False)
    before, values = graph.model(), graph.values()
    expected = run(before, values)
    for kind in TO_ROUNDING:
        after = changed(before, kind)
        if after is not None:
            note(kind.__name__)
            assert_same(expected, after, values, exact=False)


@pytest.mark.parametrize("kind", BIT_FOR_BIT + TO_ROUNDING)
def test_random_graphs_have_what_each_step_looks_for(kind: type[Transformation]) -> None:
    found = (changed(RandomGraph(seed, exact=True, thresholds=True).model(), kind) for seed in range(60))
    assert any(model is not None for model in found)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_steps_in_any_order_keep_the_function(seed: int) -> None:
    graph = RandomGraph(seed, exact=True, thresholds=True, length=10)
    model, values = graph.model(), graph.values()
    after = model
    kinds = list(itertools.chain(BIT_FOR_BIT, TO_ROUNDING))
    for index in np.random.default_rng(seed).permutation(len(kinds)):
        after = after.transform(kinds[index]())
    assert_same(run(model, values), after, values)
    assert_annotations_hold(after, values)
