"""Floats out, integers in: Streamline, and the steps of it that can be used alone. One transformation a file."""

from finnmake.transformation.streamline.batch_norm_to_affine import BatchNormToAffine
from finnmake.transformation.streamline.collapse_repeated_add import CollapseRepeatedAdd
from finnmake.transformation.streamline.collapse_repeated_mul import CollapseRepeatedMul
from finnmake.transformation.streamline.convert_bipolar_matmul_to_xnor_popcount import (
    ConvertBipolarMatMulToXnorPopcount,
)
from finnmake.transformation.streamline.convert_div_to_mul import ConvertDivToMul
from finnmake.transformation.streamline.convert_sign_to_thres import ConvertSignToThres
from finnmake.transformation.streamline.convert_sub_to_add import ConvertSubToAdd
from finnmake.transformation.streamline.insert_topk import InsertTopK
from finnmake.transformation.streamline.round_and_clip_thresholds import RoundAndClipThresholds
from finnmake.transformation.streamline.streamline import Streamline

__all__ = [
    "BatchNormToAffine",
    "CollapseRepeatedAdd",
    "CollapseRepeatedMul",
    "ConvertBipolarMatMulToXnorPopcount",
    "ConvertDivToMul",
    "ConvertSignToThres",
    "ConvertSubToAdd",
    "InsertTopK",
    "RoundAndClipThresholds",
    "Streamline",
]
