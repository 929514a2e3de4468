"""Icarus takes the Verilog of the kernels, without a warning."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from finnmake.dataflow.layer import Layer
from tests.hls_library.grids import ARITHMETIC, CONVERTERS, FIFOS, SELECTORS, STREAM_ORDER
from tests.hls_library.harness import LIBRARY, core_verilog, layer_name
from tests.hls_library.random_layers import depthwise, external, random_mvau

PRODUCTS = [
    random_mvau((12, 6), (3, 3), ("INT4", "INT4"), (15, "INT4")),
    replace(random_mvau((8, 6), (2, 3), ("UINT8", "INT8")), resType="dsp"),
    replace(random_mvau((8, 4), (4, 2), ("INT2", "INT2"), (3, "INT2")), mem_mode="internal_decoupled"),
    external(random_mvau((8, 4), (4, 2), ("INT2", "INT2"))),
    depthwise(4, 2, "3,3", ("INT4", "INT4"), simd=3),
]
LAYERS = [*PRODUCTS, *FIFOS[1:], CONVERTERS[0], SELECTORS[1], SELECTORS[3], *ARITHMETIC, *STREAM_ORDER]


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="iverilog is not installed")
@pytest.mark.parametrize("layer", LAYERS, ids=layer_name)
def test_icarus_takes_the_verilog(tmp_path: Path, layer: Layer) -> None:
    core = tmp_path / "core.v"
    core.write_text(core_verilog(layer))
    files = [str(LIBRARY / file) for file in layer.verilog_files]
    options = ["-g2005", "-Wall", "-Wno-timescale", "-s", layer.core_name(), "-o", str(tmp_path / "core.vvp")]
    command = ["iverilog", *options, str(core)]
    result = subprocess.run([*command, *files], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "warning" not in result.stderr, result.stderr
