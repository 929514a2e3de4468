"""MoveAddPastFork: a Add for every user."""

from __future__ import annotations

from finnmake.transformation.reorder.move_linear_past_fork import MoveLinearPastFork


class MoveAddPastFork(MoveLinearPastFork):
    """The half of ``MoveLinearPastFork`` for Add."""

    op_types = ("Add",)
