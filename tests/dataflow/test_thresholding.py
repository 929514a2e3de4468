"""Thresholding as a layer, and the arithmetic that layers with thresholds share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finnmake.dataflow.pipelines import (
    SEARCH_STAGES,
    adder_tree_cycles,
    first_block_stage,
    multi_threshold_cycles,
    popcount_cycles,
    rom_style,
)
from finnmake.dataflow.thresholding import Thresholding
from finnmake.dataflow.thresholds import threshold_images
from finnmake.errors import FoldingError, ModelError
from finnmake.graph.datatype import DataType
from finnmake.graph.quantisation import count_thresholds
from tests.hls_library.harness import random_frames
from tests.hls_library.random_layers import grid_thresholding, thresholds_in_memory
from tests.hls_library.strategies import thresholdings


@given(channels=st.integers(1, 4), steps=st.integers(1, 40), shared=st.booleans(), seed=st.integers(0, 99))
def test_count(channels: int, steps: int, shared: bool, seed: int) -> None:
    generator = np.random.default_rng(seed)
    thresholds = np.sort(generator.integers(-9, 9, (1 if shared else channels, steps)), axis=1)
    values = generator.integers(-12, 12, (5, channels))
    expected = (values[:, :, None] >= thresholds[None]).sum(axis=2)
    np.testing.assert_array_equal(count_thresholds(values, thresholds), expected)


@given(layer=thresholdings())
def test_execute_and_image(layer: Thresholding) -> None:
    frames = random_frames(layer, 3)
    thresholds = layer.parameters["thresholds"]
    values = frames.reshape(-1, layer.NumChannels)
    count = (values[:, :, None] >= thresholds[None]).sum(axis=2)
    expected = 2 * count - 1 if layer.outputDataType == "BIPOLAR" else count + layer.ActVal
    outputs = layer.execute(frames)
    np.testing.assert_array_equal(outputs, expected.reshape(len(frames), -1))
    assert DataType[layer.outputDataType].allowed_array(outputs)
    images = layer.memory_images()
    assert all(image.datatype.allowed_array(image.words) for image in images.values())
    moved = thresholds_in_memory(images, len(thresholds), layer.PE, layer.numSteps)
    other = replace(layer, parameters={"thresholds": moved}, thresholdDataType="INT16")
    np.testing.assert_array_equal(other.execute(frames), outputs)


@given(steps=st.integers(4, 255), value=st.integers(-9, 9), seed=st.integers(0, 99))
def test_search_in_the_memories(steps: int, value: int, seed: int) -> None:
    thresholds = np.sort(np.random.default_rng(seed).integers(-12, 12, (1, steps)), axis=1)
    bits = 0
    for stage, image in enumerate(threshold_images(thresholds, 1, -9, 9).values()):
        assert image.words.shape == (1 << stage, 1)
        bits = 2 * bits + int(value >= image.words[bits, 0])
    assert bits == (value >= thresholds).sum()


def test_block_memory_of_a_search() -> None:
    assert first_block_stage("auto", 3, 1024, 32) == SEARCH_STAGES
    assert first_block_stage("auto", 15, 4, 16) == SEARCH_STAGES
    assert [first_block_stage("auto", 255, folds, 16) for folds in (1, 2, 4, 256)] == [SEARCH_STAGES, 7, 6, 0]
    assert [first_block_stage("block", 255, folds, 16) for folds in (1, 2)] == [1, 0]
    assert first_block_stage("distributed", 255, 256, 16) == SEARCH_STAGES


def test_cycles() -> None:
    assert [adder_tree_cycles(n) for n in (1, 2, 4, 5, 16, 17)] == [0, 1, 1, 2, 2, 3]
    assert [popcount_cycles(n) for n in (1, 7, 8, 49)] == [1, 1, 2, 3]
    assert [multi_threshold_cycles(n) for n in (0, 1, 3, 4, 255)] == [0, 0, 0, 3, 8]
    layer = grid_thresholding("two_steps")
    assert (layer.interval_cycles(), layer.first_output_latency()) == (6, 2)


@pytest.mark.parametrize(
    ("ram_style", "depth", "width", "style"),
    [
        ("auto", 64, 1568, "block"),
        ("auto", 16, 1568, "registers"),
        ("auto", 64, 4, "registers"),
        ("distributed", 64, 1568, "registers"),
        ("block", 2, 2, "block"),
    ],
)
def test_memory_style(ram_style: str, depth: int, width: int, style: str) -> None:
    assert rom_style(ram_style, depth, width) == style


def test_refusals() -> None:
    layer = grid_thresholding("two_steps")
    with pytest.raises(FoldingError, match="PE = 4 does not divide NumChannels = 6"):
        replace(layer, PE=4)
    thresholds = layer.parameters["thresholds"]
    for change, message in (
        ({"numInputVectors": 0}, "numInputVectors"),
        ({"inputDataType": "FLOAT32"}, "FLOAT32"),
        ({"sharedThresholds": True}, "have shape"),
        ({"thresholdDataType": "BINARY"}, "do not fit thresholdDataType"),
        ({"parameters": {"thresholds": thresholds[:, ::-1] - [0, 1]}}, "descend"),
    ):
        with pytest.raises(ModelError, match=message):
            replace(layer, **change)
