"""The Verilog of MatrixVectorActivation against the layer: lint, integers, cycles, stalls."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from finnmake.dataflow.matrix_vector_activation import MatrixVectorActivation
from tests.hls_library.harness import Bench, random_frames
from tests.hls_library.random_layers import MVAU_GRID, grid_mvau
from tests.hls_library.strategies import mvaus


def check(bench: Bench, layer: MatrixVectorActivation) -> None:
    bench.lint(layer)
    bench.check_rtl(layer, random_frames(layer, 12))


@pytest.mark.parametrize("name", MVAU_GRID)
def test_grid(bench: Bench, name: str) -> None:
    check(bench, grid_mvau(name))


def test_other_weights_need_no_other_core(bench: Bench) -> None:
    first, second = grid_mvau("ternary", seed=0), grid_mvau("ternary", seed=1)
    frames = random_frames(first, 8)
    assert (first.execute(frames) != second.execute(frames)).any()
    bench.check_rtl(first, frames)
    built = (bench.folder / f"{first.core_name()}-rtl" / "model.so").stat().st_mtime_ns
    bench.check_rtl(second, frames)
    assert (bench.folder / f"{second.core_name()}-rtl" / "model.so").stat().st_mtime_ns == built


def test_output_that_waits_for_ever_loses_nothing(bench: Bench) -> None:
    layer = grid_mvau("ternary")
    bench.run_rtl(layer, random_frames(layer, 12), output_stall=0.99, seed=5)


@settings(max_examples=3, derandomize=True, deadline=None)
@given(layer=mvaus())
def test_random_layers(bench: Bench, layer: MatrixVectorActivation) -> None:
    check(bench, layer)


@pytest.mark.nightly
@pytest.mark.timeout(7200)
@settings(max_examples=300, deadline=None)
@given(layer=mvaus())
def test_many_random_layers(bench: Bench, layer: MatrixVectorActivation) -> None:
    check(bench, layer)
