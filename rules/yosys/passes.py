"""Running Yosys passes: what the rules of several FPGAs share."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any, NoReturn

from pyosys import libyosys as yosys

# Threads that share the work of a pass cost more processor time than they save, and an action counts as one process.
os.environ["YOSYS_MAX_THREADS"] = "1"

PREPARE = (
    "opt_expr",
    "opt_clean",
    "opt -nodffe -nosdff",
    "fsm",
    "opt",
    "wreduce",
    "peepopt",
    "opt_clean",
)
"""The passes behind flattening."""


def run(design: Any, *passes: str) -> None:
    """Runs Yosys passes in order. Yosys prints its own ERROR line and ends the process when one fails."""
    for line in passes:
        yosys.run_pass(line, design)


def cells(design: Any) -> Iterator[tuple[Any, Any]]:
    """Module and cell, of all cells in what is not a box."""
    for module in design.selected_modules():
        for cell in module.cells_.values():
            yield module, cell


def cell_types(design: Any) -> set[str]:
    """The types of all cells in what is not a box."""
    return {cell.type.str() for _, cell in cells(design)}


def finish() -> NoReturn:
    """Ends the process, without taking apart what Yosys holds: that takes as long as several passes."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
