"""What place and route reports, in one form: the clock that is reached, and how full the device is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from finnmake.errors import BoardError, ToolError

RESOURCE_OF_CELL = MappingProxyType(
    {
        "TRELLIS_COMB": "LUT",
        "TRELLIS_FF": "FF",
        "DP16KD": "BRAM",
        "MULT18X18D": "DSP",
        "EHXPLLL": "PLL",
        "ICESTORM_LC": "LUT",
        "ICESTORM_RAM": "BRAM",
    }
)
"""nextpnr's names of what a device has, by the names that synthesis reports use."""


@dataclass(frozen=True)
class Timing:
    """Figures of a routed design.

    Attributes:
        fmax_mhz: the slowest clock's highest frequency.
        clock: that clock's net.
        utilisation: resource -> (used, available).
    """

    fmax_mhz: float
    clock: str
    utilisation: Mapping[str, tuple[int, int]]

    def check(self, clock_mhz: float) -> None:
        """Whether the design runs at a clock.

        Raises:
            BoardError: it does not.
        """
        if self.fmax_mhz < clock_mhz:
            raise BoardError(
                f"the routed design reaches {self.fmax_mhz:.1f} MHz only",
                where=f"clock of {clock_mhz:g} MHz",
                remedy=f"Choose a clock of {int(self.fmax_mhz)} MHz or less, or a folding with smaller SIMD.",
            )


def read_timing(report: Mapping[str, Any]) -> Timing:
    """The figures of a report of nextpnr.

    Args:
        report: the parsed ``--report`` file.

    Raises:
        ToolError: the report names no clock.
    """
    clocks = {name: float(entry["achieved"]) for name, entry in report.get("fmax", {}).items()}
    if not clocks:
        raise ToolError("the report of place and route names no clock", where="timing")
    slowest = min(clocks, key=lambda name: (clocks[name], name))
    utilisation = {
        RESOURCE_OF_CELL[cell]: (int(entry["used"]), int(entry["available"]))
        for cell, entry in sorted(report.get("utilization", {}).items())
        if cell in RESOURCE_OF_CELL
    }
    return Timing(clocks[slowest], slowest, MappingProxyType(utilisation))
