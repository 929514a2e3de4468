"""ram_style is what the netlist has: LUT RAM, block RAM, UltraRAM, or none of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from finnmake.dataflow.convolution_input_generator import ConvolutionInputGenerator
from finnmake.dataflow.layer import Layer
from finnmake.dataflow.resource_estimate import estimate_resources
from finnmake.dataflow.streaming_fifo import StreamingFIFO
from tests.hls_library.harness import Bench, random_frames
from tests.hls_library.random_layers import depthwise, random_mvau, random_thresholding
from tests.support.synthesis import ECP5, ULTRASCALE, XILINX_7, synthesised_cells

STORING = {
    "fifo": StreamingFIFO("INT4", 9, 6, 64),
    "windows": ConvolutionInputGenerator("3,3", 4, "9,16", "1,1", "1,1", 4, "INT4"),
}
CONSTANT = {
    "matrix": random_mvau((32, 8), (2, 2), ("INT3", "INT3")),
    "depthwise": depthwise(16, 2, "3,3", ("INT3", "INT3")),
    "thresholds": random_thresholding(32, 2, "INT8", 3, "INT2"),
    "search": random_thresholding(16, 1, "INT8", 15, "INT4"),
}
LUT_RAM = re.compile(r"TRELLIS_DPR16X4|RAM(16|32|64|128|256)(M|X).*")
BLOCK_RAM = {"DP16KD": 1, "RAMB18E1": 1, "RAMB36E1": 2, "RAMB18E2": 1, "RAMB36E2": 2}


def memories(cells: Mapping[str, int]) -> tuple[int, int, int]:
    """LUT RAMs, block RAMs of 18 kbit, UltraRAMs."""
    return (
        sum(count for name, count in cells.items() if LUT_RAM.fullmatch(name)),
        sum(count * cells.get(name, 0) for name, count in BLOCK_RAM.items()),
        cells.get("URAM288", 0),
    )


def check(folder: Path, layer: Layer, style: str, flow: tuple[str, ...]) -> None:
    styled = replace(layer, ram_style=style)  # type: ignore[call-arg]
    in_luts, in_blocks, in_ultra = memories(synthesised_cells(folder, styled, flow))
    constant = bool(layer.parameters)
    assert (in_blocks > 0, in_ultra > 0) == (style == "block", style == "ultra")
    # Memories of constants are gates, the queue behind them has LUT RAM of its own.
    assert constant or (in_luts > 0) == (style == "distributed")
    assert in_ultra == estimate_resources(styled).URAM
    if flow == ECP5:
        assert in_blocks == estimate_resources(styled).BRAM_18K


@pytest.mark.parametrize("style", ["distributed", "block"])
@pytest.mark.parametrize("name", ["fifo", "thresholds"])
def test_memories_of_ecp5(tmp_path: Path, name: str, style: str) -> None:
    check(tmp_path, (STORING | CONSTANT)[name], style, ECP5)


def test_ultra_ram(tmp_path: Path) -> None:
    check(tmp_path, STORING["fifo"], "ultra", ULTRASCALE)


@pytest.mark.nightly
@pytest.mark.parametrize("style", ["distributed", "block"])
@pytest.mark.parametrize("name", [*STORING, *CONSTANT])
@pytest.mark.parametrize("flow", [ECP5, XILINX_7, ULTRASCALE], ids=" ".join)
def test_memories(tmp_path: Path, flow: tuple[str, ...], name: str, style: str) -> None:
    check(tmp_path, (STORING | CONSTANT)[name], style, flow)


@pytest.mark.nightly
@pytest.mark.parametrize("name", STORING)
def test_ultra_ram_of_all(tmp_path: Path, name: str) -> None:
    check(tmp_path, STORING[name], "ultra", ULTRASCALE)


@pytest.mark.nightly
@pytest.mark.parametrize("name", [*STORING, *CONSTANT])
@pytest.mark.parametrize("style", ["distributed", "block", "ultra"])
def test_all_styles_compute_alike_in_the_cycles_that_the_layer_says(bench: Bench, name: str, style: str) -> None:
    if style == "ultra" and name in CONSTANT:
        return
    layer = replace((STORING | CONSTANT)[name], ram_style=style)  # type: ignore[call-arg]
    bench.lint(layer)
    bench.check_rtl(layer, random_frames(layer, 8))
