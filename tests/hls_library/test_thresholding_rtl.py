"""The Verilog of Thresholding against the layer: lint, integers, cycles, stalls."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from finnmake.dataflow.thresholding import Thresholding
from tests.hls_library.harness import Bench, random_frames
from tests.hls_library.random_layers import THRESHOLDING_GRID, grid_thresholding
from tests.hls_library.strategies import thresholdings


def check(bench: Bench, layer: Thresholding) -> None:
    bench.lint(layer)
    bench.check_rtl(layer, random_frames(layer, 12))


@pytest.mark.parametrize("name", THRESHOLDING_GRID)
def test_grid(bench: Bench, name: str) -> None:
    check(bench, grid_thresholding(name))


@settings(max_examples=2, derandomize=True, deadline=None)
@given(layer=thresholdings())
def test_random_layers(bench: Bench, layer: Thresholding) -> None:
    check(bench, layer)


@pytest.mark.nightly
@pytest.mark.timeout(7200)
@settings(max_examples=300, deadline=None)
@given(layer=thresholdings())
def test_many_random_layers(bench: Bench, layer: Thresholding) -> None:
    check(bench, layer)
