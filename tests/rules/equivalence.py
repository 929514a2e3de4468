"""Whether a netlist does what its Verilog says, proved by Yosys."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

SCRIPT = "import sys; from pyosys import libyosys as y; d = y.Design(); [y.run_pass(line, d) for line in sys.argv[1:]]"


def run_passes(folder: Path, *passes: str) -> subprocess.CompletedProcess[str]:
    """Yosys passes on an empty design, in a process of their own: a pass that fails ends it."""
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, *passes], cwd=folder, capture_output=True, text=True, check=False
    )


def prove(folder: Path, top: str, sources: Sequence[str], cells: str) -> str:
    """What Yosys says against ``netlist.il`` being the sources; nothing where they are equal.

    Registers are found by their names.

    Args:
        folder: where all files are.
        top: the module.
        sources: Verilog files.
        cells: models of the primitives, in Yosys' share.
    """
    result = run_passes(
        folder,
        *(f"read_verilog -defer {source}" for source in sources),
        f"hierarchy -top {top}",
        "proc",
        "flatten",
        "memory",
        "opt_clean",
        f"rename {top} gold",
        "design -stash gold",
        f"read_verilog -overwrite {cells}",
        "read_rtlil netlist.il",
        f"hierarchy -top {top}",
        "proc",
        "flatten",
        "opt_clean",
        f"rename {top} gate",
        "design -copy-from gold gold",
        "equiv_make gold gate proof",
        "hierarchy -top proof",
        "equiv_simple -undef",
        "equiv_induct -undef",
        "equiv_status -assert",
    )
    return "" if result.returncode == 0 else result.stdout[-2000:] + result.stderr
