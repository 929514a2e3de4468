"""Inputs and weights of more than 8 bits, in both languages."""

from __future__ import annotations

from dataclasses import replace

from tests.hls_library.harness import Bench, random_streams
from tests.hls_library.random_layers import random_mvau


def test_nine_bits_by_sixteen(bench: Bench) -> None:
    layer = random_mvau((8, 4), (4, 2), ("UINT16", "INT9"), (7, "UINT3"), vectors=2)
    bench.check(layer, *random_streams(layer, 9))


def test_wide_products_share_no_multiplier(bench: Bench) -> None:
    layer = replace(random_mvau((6, 4), (3, 4), ("INT16", "INT16")), resType="dsp")
    assert layer.multipliers == 12
    bench.check(layer, *random_streams(layer, 9))
