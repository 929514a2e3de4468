"""Sizes of memories that are stated without parameters are those of the images that parameters make."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finnmake.dataflow.elementwise_binary import ElementwiseAdd
from finnmake.dataflow.layer import Layer
from finnmake.dataflow.lookup import Lookup
from finnmake.dataflow.requant import Requant
from finnmake.dataflow.vector_vector_activation import VectorVectorActivation
from tests.hls_library.strategies import mvaus, thresholdings

ONE = np.ones(1, dtype=np.int64)


def check(layer: Layer) -> None:
    shapes = replace(layer, parameters={}).memory_shapes()
    assert list(shapes.items()) == [(name, image.shape) for name, image in layer.memory_images().items()]


@settings(deadline=None)
@given(st.one_of(mvaus(), thresholdings()))
def test_products_and_thresholds(layer: Layer) -> None:
    check(layer)


@pytest.mark.parametrize(
    "layer",
    [
        ElementwiseAdd(6, 2, "INT8", "INT8", "INT9"),
        ElementwiseAdd(6, 2, "INT8", "INT8", "INT9", "const", parameters={"rhs": ONE}),
        Requant(6, 3, "INT16", "INT6", "INT22", "UINT8", 8, parameters={"multipliers": ONE, "biases": ONE}),
        Lookup(5, 4, 2, "UINT8", "INT8", 4, parameters={"embeddings": np.ones((5, 4), dtype=np.int64)}),
        VectorVectorActivation(
            PE=2, SIMD=3, inputDataType="UINT4", weightDataType="INT4", accDataType="INT14", outputDataType="INT14",
            noActivation=True, Channels=6, Kernel="3,3", Dim="2,2", parameters={"weights": np.ones((9, 6), np.int64)},
        ),
    ],
)  # fmt: skip
def test_other_layers(layer: Layer) -> None:
    check(layer)
