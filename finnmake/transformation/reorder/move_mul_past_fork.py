"""MoveMulPastFork: a Mul for every user."""

from __future__ import annotations

from finnmake.transformation.reorder.move_linear_past_fork import MoveLinearPastFork


class MoveMulPastFork(MoveLinearPastFork):
    """The half of ``MoveLinearPastFork`` for Mul."""

    op_types = ("Mul",)
