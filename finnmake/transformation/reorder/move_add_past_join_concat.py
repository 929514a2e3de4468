"""MoveAddPastJoinConcat: one Add behind a Concat of branches."""

from __future__ import annotations

from finnmake.transformation.reorder.move_affine_past_join_concat import MoveAffinePastJoinConcat


class MoveAddPastJoinConcat(MoveAffinePastJoinConcat):
    """The half of ``MoveAffinePastJoinConcat`` that moves Adds."""

    op_types = ("Add",)
