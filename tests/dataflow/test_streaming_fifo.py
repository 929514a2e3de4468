"""What follows from a FIFO's depth."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finnmake.dataflow.resource_estimate import estimate_resources
from finnmake.dataflow.streaming_fifo import StreamingFIFO


@pytest.mark.parametrize(
    ("bits", "depth", "filled"),
    [
        (4, 2, 2),
        (64, 4, 4),
        (64, 5, 16),
        (4, 128, 128),
        (4, 129, 144),
        (4, 2047, 2047),
        (64, 128, 512),
        (72, 513, 1024),
    ],
)
def test_filled_depth(bits: int, depth: int, filled: int) -> None:
    assert StreamingFIFO("UINT1", bits, 10, depth).filled_depth() == filled


@given(st.integers(1, 400), st.integers(1, 20_000), st.sampled_from(("auto", "distributed", "block")))
def test_a_filled_memory_takes_no_more_blocks(bits: int, depth: int, ram_style: str) -> None:
    layer = StreamingFIFO("UINT1", bits, 10, depth, ram_style)
    filled = replace(layer, depth=layer.filled_depth())
    assert filled.depth >= depth
    assert filled.filled_depth() == filled.depth
    assert filled.implementation() == layer.implementation()
    for flow in ("ecp5", "xc7", "xcup"):
        assert estimate_resources(filled, flow).BRAM_18K == estimate_resources(layer, flow).BRAM_18K
