"""MoveMulPastJoinConcat: one Mul behind a Concat of branches."""

from __future__ import annotations

from finnmake.transformation.reorder.move_affine_past_join_concat import MoveAffinePastJoinConcat


class MoveMulPastJoinConcat(MoveAffinePastJoinConcat):
    """The half of ``MoveAffinePastJoinConcat`` that moves Muls."""

    op_types = ("Mul",)
