"""What synth.py and merge.py share: counting the primitives of an ECP5 netlist."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from passes import run
from pyosys import libyosys as yosys

# LUT4s that a primitive takes, as nextpnr-ecp5 counts its "Total LUT4s": a distributed RAM takes two for its write
# port. PFUMX and L6MUX21 are multiplexers inside a slice: they cost no LUT of their own.
LUTS_OF_PRIMITIVE = {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 6}
OTHER_PRIMITIVES = {"PFUMX", "L6MUX21", "TRELLIS_FF", "DP16KD", "MULT18X18D", "ALU54B", "EHXPLLL"}


def fail(message: str) -> NoReturn:
    """Ends the process the way a tool does: one ERROR line, exit status 1."""
    print(f"ERROR: {message}", file=sys.stderr)
    sys.exit(1)


def module_names(design: Any) -> list[str]:
    """The names of the modules that have contents or are black boxes, without the leading backslash."""
    return sorted(name.str().removeprefix("\\") for name in design.modules_)


def module_named(design: Any, name: str) -> Any:
    """The module of that name."""
    return design.module(yosys.IdString(f"\\{name}"))


def count_primitives(module: Any) -> Counter[str]:
    """Primitive type -> number of cells."""
    return Counter(
        cell.type.str().removeprefix("\\") for cell in module.cells_.values() if cell.type.str() != "$scopeinfo"
    )


def resources(module: Any) -> dict[str, int]:
    """The resource counts of a mapped, flat module.

    Keys: LUT (as nextpnr-ecp5 counts "Total LUT4s", arithmetic and distributed RAM included), FF, BRAM (DP16KD, 18 kbit
    each), DSP (MULT18X18D), PLL (EHXPLLL), CCU2C (2 bits of carry), TRELLIS_DPR16X4 (RAMs of 16 x 4 bits in LUTs).
    """
    found = count_primitives(module)
    foreign = sorted(kind for kind in found if kind not in LUTS_OF_PRIMITIVE and kind not in OTHER_PRIMITIVES)
    if foreign:
        fail(f"module {module.name.str()}: cells that are no ECP5 primitives are left: {', '.join(foreign)}")
    return {
        "LUT": sum(luts * found[kind] for kind, luts in LUTS_OF_PRIMITIVE.items()),
        "FF": found["TRELLIS_FF"],
        "BRAM": found["DP16KD"],
        "DSP": found["MULT18X18D"],
        "CCU2C": found["CCU2C"],
        "TRELLIS_DPR16X4": found["TRELLIS_DPR16X4"],
        "PLL": found["EHXPLLL"],
    }


def write_resources(counts: Mapping[str, int], path: str) -> None:
    """Writes the counts as canonical JSON."""
    Path(path).write_text(json.dumps(counts, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def forget_sources(design: Any, name: str) -> None:
    """Removes the file:line attributes: they hold paths of the installation, and a moved line is no other netlist."""
    run(design, f"setattr -mod -unset src {name}", f"setattr -unset src {name}/*")
