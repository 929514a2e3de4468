"""Ops that change places with a neighbour, the function unchanged. One transformation a file."""

from finnmake.transformation.reorder.move_add_past_conv import MoveAddPastConv
from finnmake.transformation.reorder.move_add_past_fork import MoveAddPastFork
from finnmake.transformation.reorder.move_add_past_join_add import MoveAddPastJoinAdd
from finnmake.transformation.reorder.move_add_past_join_concat import MoveAddPastJoinConcat
from finnmake.transformation.reorder.move_add_past_mul import MoveAddPastMul
from finnmake.transformation.reorder.move_affine_past_join_concat import MoveAffinePastJoinConcat
from finnmake.transformation.reorder.move_flatten_past_affine import MoveFlattenPastAffine
from finnmake.transformation.reorder.move_flatten_past_topk import MoveFlattenPastTopK
from finnmake.transformation.reorder.move_linear_past_eltwise_add import MoveLinearPastEltwiseAdd
from finnmake.transformation.reorder.move_linear_past_fork import MoveLinearPastFork
from finnmake.transformation.reorder.move_mul_past_dw_conv import MoveMulPastDWConv
from finnmake.transformation.reorder.move_mul_past_fork import MoveMulPastFork
from finnmake.transformation.reorder.move_mul_past_join_add import MoveMulPastJoinAdd
from finnmake.transformation.reorder.move_mul_past_join_concat import MoveMulPastJoinConcat
from finnmake.transformation.reorder.move_mul_past_max_pool import MoveMulPastMaxPool
from finnmake.transformation.reorder.move_scalar_add_past_matmul import MoveScalarAddPastMatMul
from finnmake.transformation.reorder.move_scalar_linear_past_invariants import MoveScalarLinearPastInvariants
from finnmake.transformation.reorder.move_scalar_mul_past_conv import MoveScalarMulPastConv
from finnmake.transformation.reorder.move_scalar_mul_past_conv_transpose import MoveScalarMulPastConvTranspose
from finnmake.transformation.reorder.move_scalar_mul_past_matmul import MoveScalarMulPastMatMul

__all__ = [
    "MoveAddPastConv",
    "MoveAddPastFork",
    "MoveAddPastJoinAdd",
    "MoveAddPastJoinConcat",
    "MoveAddPastMul",
    "MoveAffinePastJoinConcat",
    "MoveFlattenPastAffine",
    "MoveFlattenPastTopK",
    "MoveLinearPastEltwiseAdd",
    "MoveLinearPastFork",
    "MoveMulPastDWConv",
    "MoveMulPastFork",
    "MoveMulPastJoinAdd",
    "MoveMulPastJoinConcat",
    "MoveMulPastMaxPool",
    "MoveScalarAddPastMatMul",
    "MoveScalarLinearPastInvariants",
    "MoveScalarMulPastConv",
    "MoveScalarMulPastConvTranspose",
    "MoveScalarMulPastMatMul",
]
