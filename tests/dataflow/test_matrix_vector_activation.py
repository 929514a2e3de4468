"""MatrixVectorActivation as a layer: arithmetic, memory images, cycles, refusals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from finnmake.dataflow.matrix_vector_activation import MatrixVectorActivation
from finnmake.errors import FoldingError, ModelError
from finnmake.graph.datatype import DataType
from tests.hls_library.harness import random_frames
from tests.hls_library.random_layers import grid_mvau, random_mvau, thresholds_in_memory
from tests.hls_library.strategies import mvaus


def output_of(layer: MatrixVectorActivation, vector: np.ndarray[tuple[int, ...], np.dtype[np.int64]], row: int) -> int:
    """One output, spelled out in Python integers."""
    weights = layer.parameters["weights"]
    if layer.binaryXnorMode:
        accumulator = sum(int(vector[i] == weights[i, row]) for i in range(layer.MW))
    else:
        accumulator = sum(int(vector[i]) * int(weights[i, row]) for i in range(layer.MW))
    if layer.noActivation:
        return accumulator
    count = sum(accumulator >= int(t) for t in layer.parameters["thresholds"][row])
    return 2 * count - 1 if layer.outputDataType == "BIPOLAR" else layer.ActVal + count


@given(layer=mvaus())
def test_execute(layer: MatrixVectorActivation) -> None:
    frames = random_frames(layer, 2)
    vectors = frames.reshape(2, layer.numInputVectors, layer.MW)
    expected = [[output_of(layer, v, row) for v in frame for row in range(layer.MH)] for frame in vectors]
    outputs = layer.execute(frames)
    np.testing.assert_array_equal(outputs, expected)
    assert outputs.dtype == np.int64
    assert DataType[layer.outputDataType].allowed_array(outputs)


@given(layer=mvaus())
def test_images_hold_all_parameters_in_their_places(layer: MatrixVectorActivation) -> None:
    images = layer.memory_images()
    steps, folds = layer.MW // layer.SIMD, layer.MH // layer.PE
    assert images["weights"].depth == steps * folds
    for (word, element), weight in np.ndenumerate(images["weights"].words):
        fold, step = divmod(word, steps)
        pe, simd = divmod(element, layer.SIMD)
        assert weight == layer.parameters["weights"][step * layer.SIMD + simd, fold * layer.PE + pe]
    assert any(name.startswith("thresholds") for name in images) == (not layer.noActivation)
    for image in images.values():
        assert image.datatype.allowed_array(image.words)
        assert image.width == image.words.shape[1] * image.datatype.bitwidth()


@given(layer=mvaus())
def test_thresholds_moved_into_the_memory_decide_alike(layer: MatrixVectorActivation) -> None:
    if layer.noActivation:
        return
    moved = thresholds_in_memory(layer.memory_images(), layer.MH, layer.PE, layer.numSteps)
    frames = random_frames(layer, 4)
    other = replace(layer, parameters={**layer.parameters, "thresholds": moved})
    np.testing.assert_array_equal(other.execute(frames), layer.execute(frames))


@given(layer=mvaus())
def test_structure_does_not_depend_on_parameters(layer: MatrixVectorActivation) -> None:
    bare = replace(layer, parameters={})
    assert bare.structure_text() == layer.structure_text()
    assert bare.verilog_parameters() == layer.verilog_parameters()
    assert bare.cpp_template_arguments() == layer.cpp_template_arguments()


def test_cycles() -> None:
    layer = random_mvau((784, 64), (49, 16), ("TERNARY", "TERNARY"), (2, "TERNARY"))
    assert layer.interval_cycles() == 64
    # 15 further words; memory, operand, popcount (1 + 2), difference, accumulator, queue.
    assert layer.first_output_latency() == 15 + 8
    assert replace(layer, numInputVectors=9).interval_cycles() == 9 * 64


def test_wide_accumulators_are_exact() -> None:
    weights = np.full((4000, 1), 127)
    layer = MatrixVectorActivation(
        MW=4000, MH=1, SIMD=1, PE=1, inputDataType="INT8", weightDataType="INT8", accDataType="INT32",
        outputDataType="INT32", noActivation=True, parameters={"weights": weights},
    )  # fmt: skip
    frames = np.full((1, 4000), 127)
    frames[0, 0] = 126
    assert layer.execute(frames)[0, 0] == 127 * 127 * 3999 + 127 * 126


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"PE": 5}, "PE = 5 does not divide MH = 12"),
        ({"SIMD": 0}, "SIMD = 0 does not divide MW = 24"),
        ({"SIMD": -4}, "SIMD = -4 does not divide MW = 24"),
    ],
)
def test_illegal_folding(change: dict[str, Any], message: str) -> None:
    with pytest.raises(FoldingError, match=message) as error:
        replace(grid_mvau("ternary"), **change)
    assert "Legal values of" in error.value.remedy
    assert "1, 2, 3, 4, 6, " in error.value.remedy


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"MW": 0}, "MW is 0"),
        ({"numInputVectors": 0}, "numInputVectors is 0"),
        ({"inputDataType": "FLOAT32"}, "inputDataType FLOAT32"),
        ({"inputDataType": "INT17"}, "inputDataType INT17"),
        ({"weightDataType": "NOTHING"}, "NOTHING"),
        ({"accDataType": "INT4"}, "do not fit accDataType INT4"),
        ({"accDataType": "BIPOLAR"}, "accDataType is BIPOLAR"),
        ({"outputDataType": "BINARY"}, "do not fit outputDataType BINARY"),
        ({"outputDataType": "BIPOLAR"}, "BIPOLAR output"),
        ({"binaryXnorMode": True}, "binaryXnorMode"),
        ({"noActivation": True}, "numSteps = 2 with noActivation"),
        ({"noActivation": True, "numSteps": 0}, "differs from accDataType"),
        ({"numSteps": 1, "outputDataType": "INT2"}, "thresholds have shape"),
        ({"numSteps": 0}, "numSteps is 0"),
        ({"numSteps": 256, "outputDataType": "UINT9"}, "At most 255 thresholds"),
        ({"outputDataType": "INT32"}, "31 bits"),
        ({"resType": "gpu"}, "resType is 'gpu'"),
        ({"ram_style": "tape"}, "ram_style is 'tape'"),
    ],
)
def test_refusals(change: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        replace(grid_mvau("ternary"), **change)  # type: ignore[arg-type]


def test_refused_parameters() -> None:
    layer = grid_mvau("ternary")
    weights, thresholds = layer.parameters["weights"], layer.parameters["thresholds"]
    changes: tuple[tuple[dict[str, Any], str], ...] = (
        ({"weights": weights.T}, "weights have shape"),
        ({"weights": weights * 3}, "not all TERNARY"),
        ({"weights": weights.astype(np.float64)}, "not all TERNARY"),
        ({"thresholds": thresholds[:, ::-1] - [0, 1]}, "descend"),
        ({"thresholds": thresholds.astype(np.float64)}, "not integers"),
    )
    for wrong, message in changes:
        with pytest.raises(ModelError, match=message):
            replace(layer, parameters={**layer.parameters, **wrong})
    with pytest.raises(ModelError, match="'weights' is missing"):
        replace(layer, parameters={}).execute(random_frames(layer, 1))
