"""Ops that change places with a neighbour, the function unchanged. One transformation a file."""

from finnmake.transformation.reorder.make_max_pool_nhwc import MakeMaxPoolNHWC
from finnmake.transformation.reorder.make_scale_resize_nhwc import MakeScaleResizeNHWC
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
from finnmake.transformation.reorder.move_max_pool_past_multi_threshold import MoveMaxPoolPastMultiThreshold
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
from finnmake.transformation.reorder.move_transpose_past_eltwise import MoveTransposePastEltwise
from finnmake.transformation.reorder.move_transpose_past_fork import MoveTransposePastFork
from finnmake.transformation.reorder.move_transpose_past_join_add import MoveTransposePastJoinAdd
from finnmake.transformation.reorder.move_transpose_past_join_concat import MoveTransposePastJoinConcat
from finnmake.transformation.reorder.move_transpose_past_scalar_mul import MoveTransposePastScalarMul
from finnmake.transformation.reorder.move_transpose_past_split import MoveTransposePastSplit

__all__ = [
    "MakeMaxPoolNHWC",
    "MakeScaleResizeNHWC",
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
    "MoveMaxPoolPastMultiThreshold",
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
    "MoveTransposePastEltwise",
    "MoveTransposePastFork",
    "MoveTransposePastJoinAdd",
    "MoveTransposePastJoinConcat",
    "MoveTransposePastScalarMul",
    "MoveTransposePastSplit",
]
