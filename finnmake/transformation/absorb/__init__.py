"""Ops that disappear in a neighbour: thresholds, weights, TopK, transposes. One transformation a file."""

from finnmake.transformation.absorb.absorb_1bit_mul_into_conv import Absorb1BitMulIntoConv
from finnmake.transformation.absorb.absorb_1bit_mul_into_matmul import Absorb1BitMulIntoMatMul
from finnmake.transformation.absorb.absorb_add_into_multi_threshold import AbsorbAddIntoMultiThreshold
from finnmake.transformation.absorb.absorb_consecutive_transposes import AbsorbConsecutiveTransposes
from finnmake.transformation.absorb.absorb_mul_into_multi_threshold import AbsorbMulIntoMultiThreshold
from finnmake.transformation.absorb.absorb_scalar_mul_add_into_topk import AbsorbScalarMulAddIntoTopK
from finnmake.transformation.absorb.absorb_sign_bias_into_multi_threshold import AbsorbSignBiasIntoMultiThreshold
from finnmake.transformation.absorb.absorb_transpose_into_flatten import AbsorbTransposeIntoFlatten
from finnmake.transformation.absorb.absorb_transpose_into_multi_threshold import AbsorbTransposeIntoMultiThreshold
from finnmake.transformation.absorb.absorb_transpose_into_resize import AbsorbTransposeIntoResize
from finnmake.transformation.absorb.factor_out_mul_sign_magnitude import FactorOutMulSignMagnitude

__all__ = [
    "Absorb1BitMulIntoConv",
    "Absorb1BitMulIntoMatMul",
    "AbsorbAddIntoMultiThreshold",
    "AbsorbConsecutiveTransposes",
    "AbsorbMulIntoMultiThreshold",
    "AbsorbScalarMulAddIntoTopK",
    "AbsorbSignBiasIntoMultiThreshold",
    "AbsorbTransposeIntoFlatten",
    "AbsorbTransposeIntoMultiThreshold",
    "AbsorbTransposeIntoResize",
    "FactorOutMulSignMagnitude",
]
