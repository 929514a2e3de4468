"""The C++ of MatrixVectorActivation against the layer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from finnmake.dataflow.matrix_vector_activation import MatrixVectorActivation
from tests.hls_library import harness
from tests.hls_library.harness import Bench, core_cpp, random_frames
from tests.hls_library.random_layers import grid_mvau, random_mvau
from tests.hls_library.strategies import mvaus


@pytest.mark.parametrize(
    "name",
    [
        "ternary",
        "xnor",
        "xnor_without_activation",
        "several_vectors",
        "bipolar_weights",
        "bipolar_inputs",
        "bipolar_both",
        "serial_eight_bits",
        "one_by_one",
    ],
)
def test_grid(bench: Bench, name: str) -> None:
    layer = grid_mvau(name)
    bench.check_cpp(layer, random_frames(layer, 50))


def test_loops_as_bambu_sees_them(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "core_cpp", lambda layer: "#define __BAMBU__ 1\n" + core_cpp(layer))
    # Another seed than in the grid is the same core: a shape of its own, so that it is compiled here.
    layer = random_mvau((12, 9), (3, 3), ("UINT3", "INT3"), (3, "UINT2"), vectors=2)
    bench.check_cpp(layer, random_frames(layer, 50))


@pytest.mark.nightly
@pytest.mark.timeout(7200)
@settings(max_examples=200, deadline=None)
@given(layer=mvaus())
def test_many_random_layers(bench: Bench, layer: MatrixVectorActivation) -> None:
    bench.check_cpp(layer, random_frames(layer, 20))
