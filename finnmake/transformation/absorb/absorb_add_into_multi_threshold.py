"""AbsorbAddIntoMultiThreshold: x + B ≥ t is x ≥ t - B."""

from __future__ import annotations

from finnmake.transformation.absorb.absorb_into_multi_threshold import AbsorbIntoMultiThreshold
from finnmake.transformation.affine import Array


class AbsorbAddIntoMultiThreshold(AbsorbIntoMultiThreshold):
    """Absorbs an Add of a number, or of one per channel, into the thresholds of the MultiThreshold behind it.

    Precondition: shapes are known; datatypes are annotated where the thresholds of integers shall be annotated.
    Postcondition: the same function, bit for bit for finite values (see ``AbsorbIntoMultiThreshold``); no such Add
    has a MultiThreshold as its only user.
    """

    op_type = "Add"

    def forward(self, values: Array, constants: Array) -> Array:
        """X + B."""
        return values + constants

    def backward(self, thresholds: Array, constants: Array) -> Array:
        """T - B."""
        return thresholds - constants
