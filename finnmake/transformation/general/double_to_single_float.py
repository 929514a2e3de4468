"""DoubleToSingleFloat: constants of 64-bit floats have 32 bits."""

from __future__ import annotations

import numpy as np

from finnmake.graph.model_wrapper import ModelWrapper, get_constant
from finnmake.transformation.base import Rewrite


class DoubleToSingleFloat(Rewrite):
    """Rounds float64 initialisers to float32.

    Precondition: none.
    Postcondition: no initialiser is float64; values are rounded to float32.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        for value in list(model.graph.initializers.values()):
            array = get_constant(value)
            if array is not None and array.dtype == np.float64:
                model.set_initializer(value, array.astype(np.float32))
