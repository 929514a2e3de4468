"""The C++ of Thresholding against the layer."""

from __future__ import annotations

import pytest

from tests.hls_library.harness import Bench, random_frames
from tests.hls_library.random_layers import grid_thresholding


@pytest.mark.parametrize("name", ["two_steps", "shared", "bipolar", "bipolar_input", "most_steps", "searched_shared"])
def test_grid(bench: Bench, name: str) -> None:
    layer = grid_thresholding(name)
    bench.check_cpp(layer, random_frames(layer, 50))
