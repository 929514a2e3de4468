"""Synthesis of a layer's core by the rules' scripts, for tests that look at what became of it: cells by type."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

from finnmake.codegen.core import CoreTemplates, render_core
from finnmake.dataflow.layer import Layer
from finnmake.dataflow.layer_file import layer_files
from tests.hls_library.harness import LIBRARY, ROOT, TEMPLATES

ECP5 = ("ecp5",)
"""Lattice ECP5: rule and options."""

XILINX_7 = ("xilinx", "--family", "xc7")
"""Xilinx series 7."""

ULTRASCALE = ("xilinx", "--family", "xcup")
"""Xilinx UltraScale+, which has UltraRAM."""


def synthesised_cells(folder: Path, layer: Layer, flow: tuple[str, ...]) -> Counter[str]:
    """Cells by type of a layer's core with its parameters.

    Args:
        folder: scratch folder.
        layer: with its parameters.
        flow: one of the above.
    """
    rule, *options = flow
    for source in (rule, "yosys"):
        shutil.copytree(ROOT / "rules" / source, folder, dirs_exist_ok=True)
    templates = CoreTemplates(TEMPLATES / "core.v.j2", TEMPLATES / "configured.v.j2", TEMPLATES / "top.cpp.j2")
    for name, text in render_core(layer, templates).items():
        (folder / name).write_text(text)
    files = ["core.v", "configured.v", *(str(LIBRARY / name) for name in layer.verilog_files)]
    if not layer.multipliers:
        options.append("--no-dsp")
    outputs = ["--netlist", "netlist.il", "--resources", "resources.json"]
    command = [sys.executable, "synth.py", "--top", layer_files(layer).configured, *outputs, *options, *files]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr
    return Counter(re.findall(r"^  cell \\(\w+) ", (folder / "netlist.il").read_text(), re.MULTILINE))
