from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finnmake.deploy.clocking import (
    LARGEST_DIVIDER,
    PHASE_DETECTOR_MHZ,
    TOLERANCE,
    VCO_MHZ,
    pll_dividers,
)
from finnmake.errors import BoardError


def test_known_setting() -> None:
    # The setting that ecppll of Project Trellis gives for 25 to 50 MHz.
    dividers = pll_dividers(25, 50)
    assert (dividers.input_divider, dividers.feedback_divider, dividers.output_divider) == (1, 2, 12)
    assert (dividers.output_mhz, dividers.vco_mhz) == (50, 600)


@given(st.sampled_from([12.0, 16.0, 25.0, 48.0, 100.0]), st.floats(1, 500))
def test_every_setting_is_legal_and_near(input_mhz: float, output_mhz: float) -> None:
    try:
        setting = pll_dividers(input_mhz, output_mhz)
    except BoardError:
        return
    assert VCO_MHZ[0] <= setting.vco_mhz <= VCO_MHZ[1]
    assert PHASE_DETECTOR_MHZ[0] <= input_mhz / setting.input_divider <= PHASE_DETECTOR_MHZ[1]
    for divider in (setting.input_divider, setting.feedback_divider, setting.output_divider):
        assert 1 <= divider <= LARGEST_DIVIDER
    assert setting.output_mhz == pytest.approx(input_mhz * setting.feedback_divider / setting.input_divider)
    assert setting.vco_mhz == pytest.approx(setting.output_mhz * setting.output_divider)
    assert abs(setting.output_mhz - output_mhz) <= TOLERANCE * output_mhz


@pytest.mark.parametrize("output_mhz", [5, 12.5, 25, 50, 60, 62.5, 75, 80, 100, 125, 200, 400])
def test_common_clocks_are_exact(output_mhz: float) -> None:
    assert pll_dividers(25, output_mhz).output_mhz == pytest.approx(output_mhz, abs=1e-9)


@pytest.mark.parametrize(
    ("input_mhz", "output_mhz", "message"),
    [(25, 500, "3.125 to 400"), (25, 1, "3.125 to 400"), (4, 50, "oscillator has 4"), (25, 48, "nearest is 46.875")],
)
def test_impossible_clocks(input_mhz: float, output_mhz: float, message: str) -> None:
    with pytest.raises(BoardError, match=message):
        pll_dividers(input_mhz, output_mhz)
