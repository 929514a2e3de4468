"""The C++ of MatrixVectorActivation against the layer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from finnmake.dataflow.matrix_vector_activation import MatrixVectorActivation
from tests.hls_library.harness import Bench, random_frames
from tests.hls_library.random_layers import grid_mvau
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


@pytest.mark.nightly
@pytest.mark.timeout(7200)
@settings(max_examples=200, deadline=None)
@given(layer=mvaus())
def test_many_random_layers(bench: Bench, layer: MatrixVectorActivation) -> None:
    bench.check_cpp(layer, random_frames(layer, 20))
