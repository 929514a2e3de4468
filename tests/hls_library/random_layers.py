"""Layers with random parameters for the tests of the kernels that have parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

import numpy as np

from finnmake.dataflow.elementwise_binary import ElementwiseBinaryOperation, result_range
from finnmake.dataflow.layer import IntegerArray, MemoryImage
from finnmake.dataflow.lookup import Lookup
from finnmake.dataflow.matrix_vector_activation import MatrixVectorActivation
from finnmake.dataflow.requant import Requant
from finnmake.dataflow.thresholding import Thresholding
from finnmake.dataflow.vector_vector_activation import VectorVectorActivation
from finnmake.graph.datatype import AnyDataType, DataType

Operation = TypeVar("Operation", bound=ElementwiseBinaryOperation)


def random_values(datatype: AnyDataType, shape: tuple[int, ...], generator: np.random.Generator) -> IntegerArray:
    """Values over the whole range of a datatype."""
    if datatype.name == "BIPOLAR":
        return 2 * generator.integers(0, 2, shape) - 1
    return generator.integers(int(datatype.min()), int(datatype.max()), shape, endpoint=True)


def accumulator_range(mw: int, source: str, weight: str, xnor: bool = False) -> tuple[int, int]:
    """Range of a sum of ``mw`` products."""
    if xnor:
        return 0, mw
    x, w = DataType[source], DataType[weight]
    products = [int(a * b) for a in (x.min(), x.max()) for b in (w.min(), w.max())]
    return mw * min(products), mw * max(products)


def random_thresholds(rows: int, steps: int, low: int, high: int, generator: np.random.Generator) -> IntegerArray:
    """Ascending thresholds, most of them where sums are likely, some on and beyond the ends of the range."""
    middle, spread = (low + high) // 2, max(2, (high - low) // 6)
    thresholds = generator.integers(middle - spread, middle + spread, (rows, steps), endpoint=True)
    ends = generator.choice(np.array([low - 5, low, high, high + 1, high + 5]), (rows, steps))
    return np.sort(np.where(generator.random((rows, steps)) < 0.1, ends, thresholds), axis=1)


def thresholds_in_memory(images: Mapping[str, MemoryImage], rows: int, pe: int, steps: int) -> IntegerArray:
    """The thresholds (rows, steps) that the memories of a core hold, stages put together."""
    if "thresholds" in images:
        return images["thresholds"].words.reshape(rows, steps)
    pe, stages = min(pe, rows), steps.bit_length()
    together = np.empty((rows, (1 << stages) - 1), np.int64)
    for stage in range(stages):
        half = 1 << (stages - stage - 1)
        words = images[f"thresholds_{stage}"].words.reshape(rows // pe, 1 << stage, pe)
        together[:, half - 1 :: 2 * half] = words.transpose(0, 2, 1).reshape(rows, -1)
    return together[:, :steps]


def random_mvau(
    shape: tuple[int, int],
    folding: tuple[int, int],
    types: tuple[str, str],
    activation: tuple[int, str] | None = None,
    *,
    xnor: bool = False,
    vectors: int = 1,
    seed: int = 0,
) -> MatrixVectorActivation:
    """A layer with random weights and thresholds.

    Args:
        shape: MW, MH.
        folding: SIMD, PE.
        types: datatypes of inputs and weights.
        activation: numSteps and outputDataType, or None for noActivation.
        xnor: binaryXnorMode.
        vectors: numInputVectors.
        seed: of the parameters.
    """
    generator = np.random.default_rng(seed)
    low, high = accumulator_range(shape[0], *types, xnor)
    accumulator = DataType.smallest_for_range(min(low, 0), max(high, 1))
    parameters = {"weights": random_values(DataType[types[1]], shape, generator)}
    output, steps, act_val = accumulator, 0, 0
    if activation is not None:
        steps, output = activation[0], DataType[activation[1]]
        act_val = int(output.min())
        parameters["thresholds"] = random_thresholds(shape[1], steps, low, high, generator)
    return MatrixVectorActivation(
        MW=shape[0],
        MH=shape[1],
        SIMD=folding[0],
        PE=folding[1],
        inputDataType=types[0],
        weightDataType=types[1],
        accDataType=accumulator.name,
        outputDataType=output.name,
        binaryXnorMode=xnor,
        noActivation=activation is None,
        numSteps=steps,
        ActVal=act_val,
        numInputVectors=vectors,
        parameters=parameters,
    )


def random_thresholding(
    channels: int,
    pe: int,
    source: str,
    steps: int,
    output: str,
    *,
    shared: bool = False,
    vectors: int = 1,
    seed: int = 0,
) -> Thresholding:
    """A layer with random thresholds."""
    generator = np.random.default_rng(seed)
    datatype = DataType[source]
    rows = 1 if shared else channels
    thresholds = random_thresholds(rows, steps, int(datatype.min()), int(datatype.max()), generator)
    return Thresholding(
        NumChannels=channels,
        PE=pe,
        inputDataType=source,
        thresholdDataType="INT32",
        outputDataType=output,
        numSteps=steps,
        ActVal=int(DataType[output].min()),
        numInputVectors=vectors,
        sharedThresholds=shared,
        parameters={"thresholds": thresholds},
    )


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


def external(layer: MatrixVectorActivation) -> MatrixVectorActivation:
    """The layer with weights from outside."""
    thresholds = {name: values for name, values in layer.parameters.items() if name != "weights"}
    return replace(layer, mem_mode="external", parameters=thresholds)


def elementwise(
    kind: type[Operation],
    lhs: str,
    rhs: str,
    folding: tuple[int, int] = (6, 2),
    constants: int | None = None,
    vectors: int = 1,
) -> Operation:
    """A layer with the narrowest output; with ``constants`` the second operand is so many random constants."""
    bare = kind(folding[0], folding[1], lhs, rhs, "INT62")
    output = DataType.smallest_for_range(*result_range(bare.operation, DataType[lhs], DataType[rhs])).name
    if constants is None:
        return kind(*folding, lhs, rhs, output, numInputVectors=vectors)
    values = random_values(DataType[rhs], (constants,), np.random.default_rng(0))
    return kind(*folding, lhs, rhs, output, "const", vectors, parameters={"rhs": values})


def requant(source: str, output: str, shift: int, rounding: str, folding: tuple[int, int] = (6, 2)) -> Requant:
    """A layer with random constants, whose results reach beyond both ends of the output's range."""
    generator = np.random.default_rng(shift)
    ends = 1 << (DataType[source].bitwidth() + 5)
    multipliers = generator.integers(-32, 31, folding[0], endpoint=True)
    biases = generator.integers(-ends, ends - 1, folding[0], endpoint=True)
    bias_type = DataType.smallest_for_range(-ends, ends - 1).name
    parameters = {"multipliers": multipliers, "biases": biases}
    return Requant(*folding, source, "INT6", bias_type, output, shift, rounding, 2, parameters=parameters)


def lookup(rows: int, dim: int, pe: int, index: str, element: str, indices: int = 1) -> Lookup:
    """A layer with a random table."""
    table = random_values(DataType[element], (rows, dim), np.random.default_rng(0))
    return Lookup(rows, dim, pe, index, element, indices, parameters={"embeddings": table})


TYPES = (
    "BIPOLAR", "BINARY", "TERNARY", "UINT2", "INT2", "UINT3", "INT3", "UINT4", "INT4", "UINT8", "INT8",
)  # fmt: skip

# shape, folding, types, activation, xnor, vectors: each way to multiply, each way to activate, each special folding.
MVAU_GRID = {
    "ternary": ((24, 12), (4, 3), ("TERNARY", "TERNARY"), (2, "TERNARY"), False, 1),
    "xnor": ((50, 6), (25, 2), ("BINARY", "BINARY"), (1, "BINARY"), True, 1),
    "xnor_without_activation": ((14, 6), (7, 3), ("BINARY", "BINARY"), None, True, 1),
    "unfolded": ((16, 8), (16, 8), ("UINT2", "INT2"), (3, "UINT2"), False, 1),
    "several_vectors": ((16, 8), (4, 2), ("INT4", "INT4"), (15, "UINT4"), False, 3),
    "bipolar_weights": ((16, 8), (2, 8), ("UINT8", "BIPOLAR"), None, False, 1),
    "bipolar_inputs": ((16, 8), (16, 2), ("BIPOLAR", "INT4"), (1, "BIPOLAR"), False, 1),
    "bipolar_both": ((18, 4), (9, 1), ("BIPOLAR", "BIPOLAR"), (1, "BINARY"), False, 1),
    "serial_eight_bits": ((5, 3), (1, 1), ("INT8", "INT8"), (7, "INT4"), False, 1),
    "one_by_one": ((1, 1), (1, 1), ("UINT3", "TERNARY"), (2, "INT2"), False, 1),
    "bits_and_signs": ((30, 6), (15, 2), ("BINARY", "BIPOLAR"), (2, "UINT2"), False, 1),
    "inputs_or_opposite": ((48, 8), (24, 4), ("UINT2", "BIPOLAR"), (3, "UINT2"), False, 2),
    "signed_inputs_or_opposite": ((10, 6), (10, 3), ("INT2", "BIPOLAR"), None, False, 1),
    "signs_or_opposite": ((48, 8), (24, 4), ("TERNARY", "BIPOLAR"), (2, "TERNARY"), False, 2),
    "unsigned": ((12, 6), (12, 6), ("UINT2", "BINARY"), (4, "UINT3"), False, 1),
    "signs_and_signs": ((12, 6), (6, 1), ("TERNARY", "BIPOLAR"), None, False, 2),
    "wide_dot_product": ((64, 2), (64, 1), ("INT2", "INT2"), (3, "INT2"), False, 1),
}

THRESHOLDING_GRID = {
    "two_steps": (6, 2, "INT8", 2, "TERNARY", False, 2),
    "shared": (6, 3, "UINT8", 3, "UINT2", True, 1),
    "bipolar": (4, 4, "INT9", 1, "BIPOLAR", False, 1),
    "many_steps": (4, 1, "INT8", 15, "INT4", False, 1),
    "bipolar_input": (3, 1, "BIPOLAR", 2, "UINT2", False, 1),
    "most_steps": (2, 1, "INT10", 255, "UINT8", False, 1),
    "searched_shared": (6, 3, "UINT8", 7, "UINT3", True, 1),
    "searched_in_block_memory": (24, 2, "INT12", 100, "INT8", False, 1),
}


def grid_mvau(name: str, seed: int = 0) -> MatrixVectorActivation:
    """A layer of MVAU_GRID."""
    shape, folding, types, activation, xnor, vectors = MVAU_GRID[name]
    return random_mvau(shape, folding, types, activation, xnor=xnor, vectors=vectors, seed=seed)


def grid_thresholding(name: str, seed: int = 0) -> Thresholding:
    """A layer of THRESHOLDING_GRID."""
    channels, pe, source, steps, output, shared, vectors = THRESHOLDING_GRID[name]
    return random_thresholding(channels, pe, source, steps, output, shared=shared, vectors=vectors, seed=seed)
