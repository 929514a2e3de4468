"""Kernels that compute element by element: Verilog and C++ against the layer, cycles as stated."""

from __future__ import annotations

import numpy as np
import pytest

from finnmake.dataflow.elementwise_binary import (
    ElementwiseAdd,
    ElementwiseBinaryOperation,
    ElementwiseMul,
    ElementwiseSub,
    result_range,
)
from finnmake.dataflow.layer import Layer
from finnmake.dataflow.lookup import Lookup
from finnmake.dataflow.requant import Requant
from finnmake.graph.datatype import DataType
from tests.hls_library.harness import Bench, random_streams
from tests.hls_library.random_layers import random_values


def elementwise(
    kind: type[ElementwiseBinaryOperation],
    lhs: str,
    rhs: str,
    folding: tuple[int, int] = (6, 2),
    constants: int | None = None,
    vectors: int = 1,
) -> ElementwiseBinaryOperation:
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


LAYERS: list[Layer] = [
    elementwise(ElementwiseAdd, "INT4", "UINT6"),
    elementwise(ElementwiseSub, "UINT3", "UINT5", constants=6, vectors=2),
    elementwise(ElementwiseMul, "INT5", "BIPOLAR", (4, 1)),
    elementwise(ElementwiseMul, "UINT8", "INT8", (4, 4), constants=1),
    requant("INT8", "UINT4", 6, "HALF_EVEN"),
    requant("UINT5", "INT6", 3, "HALF_UP", (3, 1)),
    lookup(11, 6, 2, "UINT4", "INT5", 3),
]
TYPE_PAIRS = (("UINT8", "UINT8"), ("INT2", "INT9"), ("BIPOLAR", "TERNARY"), ("BINARY", "INT31"), ("INT16", "UINT1"))
MORE: list[Layer] = [
    elementwise(kind, lhs, rhs, folding, constants, 2)
    for kind in (ElementwiseAdd, ElementwiseSub, ElementwiseMul)
    for (lhs, rhs), folding, constants in zip(
        TYPE_PAIRS, ((8, 8), (40, 1), (1, 1), (12, 3), (64, 2)), (None, 40, None, 1, 64), strict=True
    )
]
MORE += [
    requant(source, output, shift, rounding, folding)
    for rounding in ("FLOOR", "HALF_UP", "HALF_EVEN")
    for source, output, shift, folding in (
        ("INT4", "INT2", 1, (4, 4)),
        ("UINT8", "UINT8", 0, (40, 1)),
        ("INT16", "INT32", 2, (3, 1)),
        ("BIPOLAR", "BINARY", 4, (1, 1)),
        ("INT12", "UINT8", 9, (96, 8)),
    )
]
MORE += [
    lookup(1, 1, 1, "UINT1", "BINARY"),
    lookup(256, 4, 4, "UINT8", "INT8", 5),
    lookup(100, 12, 1, "UINT7", "BIPOLAR", 2),
    lookup(3, 5, 5, "UINT8", "UINT16", 4),
]


def name(layer: Layer) -> str:
    return "-".join([layer.op_type, *(str(value) for value in layer.structure().values())])


@pytest.mark.parametrize("layer", LAYERS, ids=name)
def test_verilog_and_cpp_compute_what_the_layer_says_in_the_cycles_it_says(bench: Bench, layer: Layer) -> None:
    bench.check(layer, *random_streams(layer, 12))


@pytest.mark.nightly
@pytest.mark.parametrize("layer", MORE, ids=name)
def test_more_shapes(bench: Bench, layer: Layer) -> None:
    bench.check(layer, *random_streams(layer, 30, seed=1))
