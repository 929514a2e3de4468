"""MoveAddPastJoinAdd: one Add behind an Add of two branches."""

from __future__ import annotations

from finnmake.transformation.reorder.move_linear_past_eltwise_add import MoveLinearPastEltwiseAdd


class MoveAddPastJoinAdd(MoveLinearPastEltwiseAdd):
    """The half of ``MoveLinearPastEltwiseAdd`` that moves Adds."""

    op_types = ("Add",)
