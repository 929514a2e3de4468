"""Random geometries of convolution and pooling, for Hypothesis."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st


@dataclass(frozen=True)
class Geometry:
    """An image and the windows over it."""

    height: int
    width: int
    channels: int
    kernel: tuple[int, int]
    strides: tuple[int, int]
    pads: tuple[int, int, int, int]
    dilations: tuple[int, int]


@st.composite
def geometries(draw: st.DrawFn, *, dilated: bool = True) -> Geometry:
    """Windows that fit into the padded image, padding smaller than the kernel."""
    kernel = (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    dilations = (draw(st.integers(1, 2)), draw(st.integers(1, 2))) if dilated else (1, 1)
    top, bottom = (draw(st.integers(0, kernel[0] - 1)) for _ in range(2))
    left, right = (draw(st.integers(0, kernel[1] - 1)) for _ in range(2))
    extent = [d * (k - 1) + 1 for d, k in zip(dilations, kernel, strict=True)]
    return Geometry(
        draw(st.integers(max(1, extent[0] - top - bottom), 9)),
        draw(st.integers(max(1, extent[1] - left - right), 9)),
        draw(st.integers(1, 5)),
        kernel,
        (draw(st.integers(1, 3)), draw(st.integers(1, 3))),
        (top, left, bottom, right),
        dilations,
    )
