"""Layers that take a whole window in a word: a convolution at a cycle a pixel of its image."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from finnmake.dataflow.convolution_input_generator import ConvolutionInputGenerator
from finnmake.dataflow.stream_graph import stream_graph
from tests.hls_library.harness import Bench, random_frames
from tests.hls_library.random_layers import depthwise, random_mvau
from tests.hls_library.test_residual import run
from tests.support.hardware_models import hardware_model


def test_a_depthwise_and_a_dense_convolution_take_a_cycle_a_pixel(bench: Bench, tmp_path: Path) -> None:
    windows = ConvolutionInputGenerator("3,3", 2, "6,7", "1,1", "1,1", 2, "INT3", True, parallel_window=True)
    taps = replace(depthwise(2, 2, "3,3", ("INT3", "INT3"), (3, "INT2"), simd=9), Dim="4,5")
    more = ConvolutionInputGenerator("2,2", 2, "4,5", "1,1", "1,1", 2, "INT2", parallel_window=True)
    matrix = random_mvau((8, 3), (8, 3), ("INT2", "INT2"), vectors=12)
    for before, after in ((windows, taps), (taps, more), (more, matrix)):
        assert before.output_stream() == after.input_stream(), "no converter is needed"
    layers = [windows, taps, more, matrix]
    model = hardware_model(layers)
    frames = random_frames(windows, 10)
    result = run(bench, tmp_path / "stitched", model, frames)
    assert max(layer.interval_cycles() for layer in stream_graph(model).layers) == 6 * 7
    assert set(result.output_intervals(12).tolist()) == {6 * 7}
    expected = frames
    for layer in layers:
        expected = layer.execute(expected)
    pixels = expected.reshape(10, 12, 3)
    # The last layer as arithmetic of its own: each output pixel from a window of 2 by 2 pixels.
    images = taps.execute(windows.execute(frames)).reshape(10, 4, 5, 2)
    window = np.stack([images[:, r : r + 3, c : c + 4] for r in (0, 1) for c in (0, 1)], axis=3).reshape(10, 12, 8)
    np.testing.assert_array_equal(pixels, window @ matrix.parameters["weights"])
