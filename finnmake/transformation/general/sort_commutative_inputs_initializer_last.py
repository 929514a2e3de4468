"""SortCommutativeInputsInitializerLast: constants are the last operands of commutative ops."""

from __future__ import annotations

from finnmake.graph.cleanup import sort_commutative_inputs
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation.base import Rewrite


class SortCommutativeInputsInitializerLast(Rewrite):
    """Puts the constants of Add, Mul, And, Or, Xor and Sum last, in the order they had.

    Precondition: none.
    Postcondition: the same function, bit for bit but for Sum of more than two operands (float32 rounding).
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        sort_commutative_inputs(model.graph)
