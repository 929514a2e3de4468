"""What is computed from windows: depthwise products and pooling, both languages against the layer, cycles as stated."""

from __future__ import annotations

import numpy as np
import pytest

from finnmake.dataflow.global_acc_pool import GlobalAccPool
from finnmake.dataflow.layer import Layer
from finnmake.dataflow.pool import Pool
from finnmake.dataflow.vector_vector_activation import VectorVectorActivation
from finnmake.graph.datatype import DataType
from tests.hls_library.harness import Bench, random_streams
from tests.hls_library.random_layers import TYPES, accumulator_range, random_thresholds, random_values


def depthwise(
    channels: int,
    pe: int,
    kernel: str,
    types: tuple[str, str],
    activation: tuple[int, str] | None = None,
    seed: int = 0,
    simd: int = 1,
) -> VectorVectorActivation:
    """A layer with random weights and thresholds, of 2 windows a frame."""
    generator = np.random.default_rng(seed)
    rows, columns = kernel.split(",")
    taps = int(rows) * int(columns)
    low, high = accumulator_range(taps, *types)
    accumulator = DataType.smallest_for_range(min(low, 0), max(high, 1))
    parameters = {"weights": random_values(DataType[types[1]], (taps, channels), generator)}
    steps, output = activation or (0, accumulator.name)
    if activation is not None:
        parameters["thresholds"] = random_thresholds(channels, steps, low, high, generator)
    return VectorVectorActivation(
        Channels=channels,
        PE=pe,
        SIMD=simd,
        Kernel=kernel,
        Dim="2,1",
        inputDataType=types[0],
        weightDataType=types[1],
        accDataType=accumulator.name,
        outputDataType=output,
        noActivation=activation is None,
        numSteps=steps,
        ActVal=int(DataType[output].min()) if activation is not None else 0,
        parameters=parameters,
    )


LAYERS = [
    depthwise(4, 2, "3,3", ("UINT4", "INT4"), (15, "UINT4")),
    depthwise(6, 3, "1,3", ("INT3", "BIPOLAR")),
    depthwise(4, 2, "3,3", ("INT4", "INT4"), (15, "INT4"), simd=3),
    depthwise(2, 1, "2,3", ("UINT2", "TERNARY"), (5, "UINT3"), simd=6),
    depthwise(3, 3, "2,2", ("BIPOLAR", "BIPOLAR"), (1, "BIPOLAR"), simd=2),
    depthwise(2, 1, "1,1", ("UINT2", "INT2"), (3, "INT2")),
    Pool(4, 2, "2,2", "3,2", "INT4", "INT4"),
    Pool(4, 2, "2,3", "2,1", "INT4", "INT4", "QuantAvgPool", 3),
    GlobalAccPool(6, 2, 7, "INT4", "INT7"),
]
MORE = [
    GlobalAccPool(2, 2, 1, "UINT3", "UINT5"),
    Pool(2, 2, "3,1", "2,2", "BIPOLAR", "BIPOLAR"),
    *(
        depthwise(3 * pe, pe, kernel, (source, weight), activation, seed)
        for seed, (source, weight) in enumerate((s, w) for s in TYPES for w in TYPES)
        for pe, kernel, activation in ((1, "2,2", None), (2, "3,3", (3, "INT2")))
    ),
    *(
        depthwise(2 * pe, pe, kernel, types, activation, simd=simd)
        for types in (("UINT4", "INT4"), ("INT8", "INT8"), ("BIPOLAR", "INT3"), ("BINARY", "BINARY"))
        for pe, kernel, simd in ((1, "3,3", 9), (3, "3,2", 2), (2, "5,5", 5), (4, "1,7", 7))
        for activation in (None, (1, "BIPOLAR"), (20, "UINT5"))
    ),
    depthwise(4, 4, "5,5", ("INT8", "INT8"), (255, "UINT8")),
    depthwise(4, 1, "1,1", ("BIPOLAR", "BIPOLAR"), (1, "BIPOLAR")),
    *(
        Pool(3 * pe, pe, kernel, "2,3", datatype, datatype)
        for pe in (1, 4)
        for kernel in ("1,1", "1,2", "3,3")
        for datatype in ("BINARY", "BIPOLAR", "TERNARY", "UINT4", "INT8", "INT32")
    ),
    *(
        Pool(4, 2, "7,7", "1,1", datatype, output, "QuantAvgPool", shift)
        for datatype, output, shift in (("UINT4", "UINT4", 6), ("INT4", "INT10", 0), ("INT8", "INT8", 6))
    ),
    *(
        GlobalAccPool(folds * 3, 3, pixels, datatype, output)
        for folds in (1, 2, 5)
        for pixels in (1, 2, 49)
        for datatype, output in (("UINT4", "UINT10"), ("TERNARY", "INT8"), ("INT8", "INT14"))
    ),
]


def name(layer: Layer) -> str:
    return "-".join([layer.op_type, *(str(value) for value in layer.structure().values())])


@pytest.mark.parametrize("layer", LAYERS, ids=name)
def test_verilog_and_cpp_compute_what_the_layer_says_in_the_cycles_it_says(bench: Bench, layer: Layer) -> None:
    bench.check(layer, *random_streams(layer, 10))


@pytest.mark.nightly
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("layer", MORE, ids=name)
def test_more_shapes(bench: Bench, layer: Layer) -> None:
    bench.check(layer, *random_streams(layer, 16, seed=1))
