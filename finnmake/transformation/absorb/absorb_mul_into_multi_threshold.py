"""AbsorbMulIntoMultiThreshold: x · A ≥ t is x ≥ t / A."""

from __future__ import annotations

import numpy as np

from finnmake.transformation.absorb.absorb_into_multi_threshold import AbsorbIntoMultiThreshold
from finnmake.transformation.affine import Affine, Array


class AbsorbMulIntoMultiThreshold(AbsorbIntoMultiThreshold):
    """Absorbs a Mul by a number, or by one per channel, none of them negative, into the thresholds behind it.

    Where A is 0 the level is always or never reached: the threshold is the smallest number, or the largest float32
    number (the largest integer + 1 where the tensor is annotated as integers).

    Precondition: shapes are known; datatypes are annotated where the thresholds of integers shall be annotated.
    Postcondition: the same function, bit for bit for finite values (see ``AbsorbIntoMultiThreshold``); no such Mul
    has a MultiThreshold as its only user. One with a negative factor stays: ``FactorOutMulSignMagnitude`` splits it.
    """

    op_type = "Mul"

    def accepts(self, operand: Affine) -> bool:
        """Finite and not negative."""
        return super().accepts(operand) and not bool((operand.array < 0).any())

    def forward(self, values: Array, constants: Array) -> Array:
        """X · A."""
        return values * constants

    def backward(self, thresholds: Array, constants: Array) -> Array:
        """T / A."""
        return np.divide(thresholds, constants)
