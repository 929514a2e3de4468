"""Dividers of the ECP5's phase-locked loop (EHXPLLL) for a clock."""

from __future__ import annotations

from dataclasses import dataclass

from finnmake.errors import BoardError

VCO_MHZ = (400.0, 800.0)
INPUT_MHZ = (8.0, 400.0)
PHASE_DETECTOR_MHZ = (3.125, 400.0)
OUTPUT_MHZ = (3.125, 400.0)
"""Limits of the data sheet, FPGA-DS-02012, "sysCLOCK PLL timing"."""

LARGEST_DIVIDER = 128
TOLERANCE = 0.005
"""Relative deviation from the clock asked for that is taken without a word."""


@dataclass(frozen=True)
class PllDividers:
    """A setting of the PLL with its output CLKOP as feedback: output = input / input_divider * feedback_divider.

    Attributes:
        input_divider: CLKI_DIV.
        feedback_divider: CLKFB_DIV.
        output_divider: CLKOP_DIV; VCO = output * output_divider.
        input_mhz: clock that comes in.
        output_mhz: clock that goes out.
        vco_mhz: clock of the oscillator inside.
    """

    input_divider: int
    feedback_divider: int
    output_divider: int
    input_mhz: float
    output_mhz: float
    vco_mhz: float


def pll_dividers(input_mhz: float, output_mhz: float) -> PllDividers:
    """The setting that comes nearest to a clock; among equals the one with small dividers and a VCO in mid-range.

    Raises:
        BoardError: the PLL cannot take the one or make the other within ``TOLERANCE``.
    """
    where = f"clock of {output_mhz:g} MHz"
    if not INPUT_MHZ[0] <= input_mhz <= INPUT_MHZ[1]:
        raise BoardError(
            f"the PLL takes {INPUT_MHZ[0]:g} to {INPUT_MHZ[1]:g} MHz, the oscillator has {input_mhz:g} MHz", where=where
        )
    if not OUTPUT_MHZ[0] <= output_mhz <= OUTPUT_MHZ[1]:
        raise BoardError(
            f"the PLL makes {OUTPUT_MHZ[0]:g} to {OUTPUT_MHZ[1]:g} MHz",
            where=where,
            remedy="Choose a clock in this range.",
        )
    candidates = []
    for input_divider in range(1, LARGEST_DIVIDER + 1):
        phase_detector = input_mhz / input_divider
        if not PHASE_DETECTOR_MHZ[0] <= phase_detector <= PHASE_DETECTOR_MHZ[1]:
            continue
        nearest = round(output_mhz / phase_detector)
        for feedback_divider in {max(1, nearest), min(LARGEST_DIVIDER, nearest + 1)}:
            candidates += _settings(input_mhz, input_divider, feedback_divider)
    best = min(
        candidates,
        key=lambda c: (
            round(abs(c.output_mhz - output_mhz), 9),
            c.input_divider,
            abs(c.vco_mhz - sum(VCO_MHZ) / 2),
        ),
        default=None,
    )
    if best is None or abs(best.output_mhz - output_mhz) > TOLERANCE * output_mhz:
        remedy = "" if best is None else f"The nearest is {best.output_mhz:.6g} MHz."
        raise BoardError(f"the PLL cannot make it from {input_mhz:g} MHz", where=where, remedy=remedy)
    return best


def _settings(input_mhz: float, input_divider: int, feedback_divider: int) -> list[PllDividers]:
    """All legal settings with these two dividers."""
    if not 1 <= feedback_divider <= LARGEST_DIVIDER:
        return []
    output = input_mhz * feedback_divider / input_divider
    return [
        PllDividers(input_divider, feedback_divider, divider, input_mhz, output, output * divider)
        for divider in range(1, LARGEST_DIVIDER + 1)
        if VCO_MHZ[0] <= output * divider <= VCO_MHZ[1] and OUTPUT_MHZ[0] <= output <= OUTPUT_MHZ[1]
    ]
