"""Hypothesis strategies for layers with parameters."""

from __future__ import annotations

from hypothesis import strategies as st

from finnmake.dataflow.matrix_vector_activation import MatrixVectorActivation
from finnmake.dataflow.thresholding import Thresholding
from tests.hls_library.random_layers import TYPES, random_mvau, random_thresholding

# Number of thresholds and an output type that has as many values and one more.
ACTIVATIONS = (
    None,
    (1, "BIPOLAR"),
    (1, "BINARY"),
    (2, "TERNARY"),
    (3, "INT2"),
    (5, "UINT3"),
    (15, "INT4"),
    (20, "UINT5"),
)


@st.composite
def mvaus(draw: st.DrawFn) -> MatrixVectorActivation:
    """Layers over shapes, foldings, types and activations."""
    simd, pe = draw(st.integers(1, 17)), draw(st.integers(1, 3))
    shape = (simd * draw(st.integers(1, 4)), pe * draw(st.integers(1, 4)))
    xnor = draw(st.booleans())
    types = ("BINARY", "BINARY") if xnor else (draw(st.sampled_from(TYPES)), draw(st.sampled_from(TYPES)))
    return random_mvau(
        shape,
        (simd, pe),
        types,
        draw(st.sampled_from(ACTIVATIONS)),
        xnor=xnor,
        vectors=draw(st.integers(1, 2)),
        seed=draw(st.integers(0, 99)),
    )


@st.composite
def thresholdings(draw: st.DrawFn) -> Thresholding:
    """Layers over shapes, foldings, types and activations."""
    pe = draw(st.integers(1, 4))
    steps, output = draw(st.sampled_from(ACTIVATIONS[1:])) or (1, "BINARY")
    return random_thresholding(
        pe * draw(st.integers(1, 4)),
        pe,
        draw(st.sampled_from(("BIPOLAR", "BINARY", "INT3", "UINT4", "INT8", "UINT8", "INT12"))),
        steps,
        output,
        shared=draw(st.booleans()),
        vectors=draw(st.integers(1, 2)),
        seed=draw(st.integers(0, 99)),
    )
