"""MoveMulPastJoinAdd: one Mul behind an Add of two branches."""

from __future__ import annotations

from finnmake.transformation.reorder.move_linear_past_eltwise_add import MoveLinearPastEltwiseAdd


class MoveMulPastJoinAdd(MoveLinearPastEltwiseAdd):
    """The half of ``MoveLinearPastEltwiseAdd`` that moves Muls."""

    op_types = ("Mul",)
