"""Every kernel over shapes, types and foldings: Verilog and C++ against the layer, cycles as stated, random stalls."""

from __future__ import annotations

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from finnmake.dataflow.layer import Layer
from finnmake.dataflow.registry import LAYER_CLASSES
from tests.hls_library.bundle import SIZE, Bundle, bundles
from tests.hls_library.cases import RANDOM_BUNDLES, RANDOM_LAYERS, cases, nightly_cases
from tests.hls_library.grids import GRID, LARGER_GRID
from tests.hls_library.harness import Bench
from tests.hls_library.strategies import STRATEGIES

# A failure names its core: to look for a smaller one would build hundreds of bundles.
GENERATE = settings(deadline=None, phases=(Phase.generate,))


def size_of(layers: tuple[Layer, ...]) -> str:
    return f"{len(layers)}_cores"


def test_there_are_cases_of_every_kernel() -> None:
    assert STRATEGIES.keys() == LAYER_CLASSES.keys()
    assert min(cases()[name] for name in LAYER_CLASSES) >= 5
    assert cases().total() >= 150
    assert nightly_cases().total() >= 1000


@pytest.mark.parametrize("layers", bundles(GRID), ids=size_of)
def test_fixed_grid(bench: Bench, layers: tuple[Layer, ...]) -> None:
    Bundle(bench, layers).check(24)


@pytest.mark.timeout(1800)  # as long as four of the others
@settings(GENERATE, max_examples=RANDOM_LAYERS, derandomize=True)
@given(layers=st.tuples(*STRATEGIES.values()))
def test_random_layers(bench: Bench, layers: tuple[Layer, ...]) -> None:
    Bundle(bench, layers).check(12)


@pytest.mark.nightly
@pytest.mark.parametrize("layers", bundles(LARGER_GRID), ids=size_of)
def test_larger_grid(bench: Bench, layers: tuple[Layer, ...]) -> None:
    Bundle(bench, layers).check(40, seed=1)


@pytest.mark.nightly
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kind", STRATEGIES)
def test_many_random_layers(bench: Bench, kind: str) -> None:
    @settings(GENERATE, max_examples=RANDOM_BUNDLES[kind])
    @given(layers=st.tuples(*[STRATEGIES[kind]] * SIZE))
    def check(layers: tuple[Layer, ...]) -> None:
        Bundle(bench, layers).check(20)

    check()
